# SPDX-License-Identifier: GPL-3.0-or-later
"""Japanese, in the words of Blender's own Japanese interface."""

from __future__ import annotations

from .body import body_texts

TEXTS: dict[str, str] = {
    "1 NLA strip": "NLAストリップ 1 個",
    "1 bone": "1 ボーン",
    "1 joint": "1 関節",
    "1 pose": "1 ポーズ",
    "1 varies as captured people do; less gives common poses, more rare ones":
        "1 は実際の人の動きと同じばらつき。小さいほど一般的な、大きいほど珍しいポーズになります",
    "2D Keypoints (.json, .csv)": "2D キーポイント (.json, .csv)",
    "A clip of a minute will take {minutes:.0f} minutes here: choose a graphics card as device, end other programs that compute, or clean with the Learned Smoother":
        "このマシンでは 1 分のクリップに {minutes:.0f} 分かかります: デバイスにグラフィックカードを選ぶか、計算中の他のプログラムを終了するか、「学習スムーサー」を使ってください",
    "A file of 2D keypoints (JSON, CSV) or heatmaps, or a folder with a JSON file for each frame":
        "2D キーポイント（JSON か CSV）またはヒートマップのファイル、または各フレームの JSON ファイルを収めたフォルダー",
    "A graphics card that PyTorch can use, else the processor":
        "PyTorch が使えるグラフィックカード、なければプロセッサー",
    "A key on every changed frame": "変更されたすべてのフレームにキーを挿入",
    "A new action beside the original, which is kept as it is":
        "元のアクションはそのまま残し、新しいアクションに書き込み",
    "A smooth curve with the timing of real motion, in no time":
        "実際のモーションのタイミングを持つ滑らかなカーブ。瞬時に完了します",
    "A track of its own above the original: mute it to compare, set its influence to blend":
        "元のアクションの上の専用トラック: ミュートで比較、影響でブレンド",
    "Action": "アクション",
    "Actions": "アクション",
    "Active": "アクティブ",
    "Add Camera": "カメラを追加",
    "Add Clean Motion Preset": "モーションクリーンのプリセットを追加",
    "Add Complete Limbs Preset": "「手足を補完」のプリセットを追加",
    "Add Generate Idle Preset": "「待機を生成」のプリセットを追加",
    "Add Generate Poses Preset": "「ポーズを生成」のプリセットを追加",
    "Add In-between Preset": "「中割り」のプリセットを追加",
    "Add Targets": "ターゲットを追加",
    "Add a further camera that saw the same person, with a keypoint file of its own":
        "同じ人物を捉えた別のカメラを、そのキーポイントファイルとともに追加します",
    "Add empties where bones are now, for the bones to follow":
        "ボーンの現在位置に、ボーンが従うエンプティを追加します",
    "Add targets, then drag them: the body follows": "ターゲットを追加してドラッグすると、身体が従います",
    "All": "すべて",
    "Also write the bones that were found automatically, as if they were mapped by hand":
        "自動で見つかったボーンも、手動で割り当てたものとして書き込みます",
    "Always": "常時",
    "An NVIDIA or AMD graphics card; the interpreter needs a PyTorch made for it":
        "NVIDIA または AMD のグラフィックカード。インタープリターに対応する PyTorch が必要です",
    "Animate from Keypoints": "キーポイントからアニメート",
    "Animate the armature from 2D keypoints of a person, so that it moves before the camera as the person did":
        "人物の 2D キーポイントからアーマチュアを動かし、カメラの前で人物と同じ動きにします",
    "Animated {armature} from {frames} frames of keypoints{ways} in {action}, {pixels:.1f} pixels off, seed {seed}":
        "{frames} フレームのキーポイントから {armature} をアニメートし{ways}、{action} に書き込みました。ずれ {pixels:.1f} ピクセル、シード {seed}",
    "Another camera that saw the same person": "同じ人物を捉えた別のカメラ",
    "Apple GPU": "Apple GPU",
    "Apply": "適用",
    "Apply Variant": "バリエーションを適用",
    "As": "出力形式",
    "As few keys as keep every joint within the tolerance of the full result":
        "すべての関節が完全な結果の許容範囲に収まる、できるだけ少ないキー",
    "Automatic": "自動",
    "Between the selected keys": "選択中のキーの間",
    "Blend": "ブレンド",
    "Blend In": "ブレンドイン",
    "Blend Out": "ブレンドアウト",
    "Blend Result": "結果をブレンド",
    "Blend with Original": "元とブレンド",
    "Blender's own": "Blender 内蔵",
    "Blender's own: {path}": "Blender 内蔵: {path}",
    "Body Parts": "身体の部位",
    "Bone Map": "ボーンマップ",
    "Bone maps kept on this machine: save this rig's, load one, remove one":
        "このマシンに保存されたボーンマップ: このリグのマップの保存、読み込み、削除",
    "Bones": "ボーン",
    "Bones are found automatically; Find Bones shows which":
        "ボーンは自動で見つかります。「ボーンを検索」で確認できます",
    "Bones of the body that the action has no keys for": "アクションにキーがない身体のボーン",
    "Bones that get a target": "ターゲットを付けるボーン",
    "Bones that keep the current pose": "現在のポーズを保つボーン",
    "Bones that may change": "変更してよいボーン",
    "Bones whose pose is missing": "ポーズが欠けているボーン",
    "Bones whose result is blended": "結果をブレンドするボーン",
    "Both hands and both feet": "両手と両足",
    "Breathing": "呼吸",
    "Butterworth": "バターワース",
    "CPU": "CPU",
    "CPU, {threads} threads": "CPU、{threads} スレッド",
    "CUDA or ROCm": "CUDA または ROCm",
    "Calm": "穏やか",
    "Camera": "カメラ",
    "Camera, person and start are those of Animate from Keypoints":
        "カメラ、人物、開始は「キーポイントからアニメート」のものです",
    "Cameras": "カメラ",
    "Cancel": "キャンセル",
    "Cancel the job in progress; nothing is changed": "実行中のジョブをキャンセルします。何も変更されません",
    "Cannot be loaded": "読み込めません",
    "Catalog": "カタログ",
    "Catalog of the asset browser that pose assets go into":
        "ポーズアセットを入れるアセットブラウザーのカタログ",
    "Check Engine": "エンジンをチェック",
    "Checking": "チェック中",
    "Checking poses": "ポーズをチェック中",
    "Choose a Python": "Python を選択",
    "Choose a bone": "ボーンを選択",
    "Choose a file of 2D keypoints and read it, to see who is in it":
        "2D キーポイントのファイルを選んで読み込むと、誰が写っているかがわかります",
    "Choose a file of 2D keypoints for Animate from Keypoints, and read it":
        "「キーポイントからアニメート」のための 2D キーポイントのファイルを選び、読み込みます",
    "Chosen here: {path}": "ここで選択: {path}",
    "Chosen joints of the body": "選んだ身体の関節",
    "Chosen parts of the body stay as they are": "選んだ身体の部位はそのままにします",
    "Clean Motion": "モーションをクリーン",
    "Clean Motion Presets": "モーションクリーンのプリセット",
    "Clean Options": "クリーンのオプション",
    "Clean the motion of the selected armatures and write it to a new action; the original action is kept":
        "選択したアーマチュアのモーションをクリーンにし、新規アクションに書き込みます。元のアクションは残ります",
    "Clean, complete, generate and in-between motion": "モーションのクリーン、補完、生成、中割り",
    "Cleaned {bones} of {armature} to {action}":
        "{armature} の{bones}をクリーンにし、{action} に書き込みました",
    "Cleaning": "クリーン中",
    "Clear All": "すべてクリア",
    "Clear Bone": "ボーンをクリア",
    "Clear Keypoints": "キーポイントをクリア",
    "Clear Plausibility": "自然さの評価をクリア",
    "Collar, upper arm, forearm and hand": "鎖骨、上腕、前腕、手",
    "Common poses": "一般的なポーズ",
    "Compare": "比較",
    "Complete": "補完",
    "Complete Limbs": "手足を補完",
    "Complete Limbs Presets": "「手足を補完」のプリセット",
    "Completed {bones} of {armature}{ways} to {action}, seed {seed}":
        "{armature} の{bones}を補完し{ways}、{action} に書き込みました、シード {seed}",
    "Completing": "補完中",
    "Completing poses": "ポーズを補完中",
    "Completing the motion": "モーションを補完中",
    "Computed on the CPU, as the graphics card's memory was too small.":
        "グラフィックスカードのメモリーが足りないため、CPU で計算しました。",
    "Computes on {device}": "{device} で計算",
    "Copy Diagnostics": "診断情報をコピー",
    "Copy versions, settings, the engine's check and the end of its log as text, for a question or a bug report":
        "質問やバグ報告のために、バージョン、設定、エンジンのチェック結果、ログの末尾をテキストでコピーします",
    "Curves in which this variant differs from the original": "このバリエーションが元と異なるカーブ",
    "Custom properties that the result switches, and their bones":
        "結果が切り替えるカスタムプロパティとそのボーン",
    "DPoser": "DPoser",
    "DPoser is at work: wait, or press Esc to cancel":
        "DPoser は作業中です: 待つか、Esc でキャンセルしてください",
    "DPoser is not at work": "DPoser は作業していません",
    "Damaged capture": "破損したキャプチャ",
    "Damaged samples": "破損サンプル",
    "Delete a preset from this machine": "このマシンからプリセットを削除します",
    "Delete this preset from this machine; armatures keep their maps":
        "このプリセットをこのマシンから削除します。アーマチュアのマップは残ります",
    "Denoising joints": "関節のノイズを除去中",
    "Denoising poses": "ポーズのノイズを除去中",
    "Device": "デバイス",
    "Diagnostics copied: paste them where you ask for help.":
        "診断情報をコピーしました: 質問する場所に貼り付けてください。",
    "DiffPose": "DiffPose",
    "Discard Result": "結果を破棄",
    "Draws whole poses that agree with the keypoints": "キーポイントと一致する全身のポーズを引きます",
    "Ease": "イーズ",
    "Eight variants": "八つの案",
    "End Following": "追従を終了",
    "End following the targets": "ターゲットへの追従を終了します",
    "End the engine and start it again, for example after choosing another Python":
        "エンジンを終了して再び開始します（別の Python を選んだ後など）",
    "Engine": "エンジン",
    "Esc cancels": "Esc でキャンセル",
    "Every Frame": "毎フレーム",
    "Every action that moves bones of the armature, each to a result of its own":
        "アーマチュアのボーンを動かすすべてのアクション。それぞれ別の結果になります",
    "Every bone of the body": "身体のすべてのボーン",
    "Every bone turns evenly from key to key": "各ボーンがキーからキーへ一様に回転します",
    "Every frame of the action": "アクションの全フレーム",
    "Every frame that the result changes": "結果が変更するすべてのフレーム",
    "Export Bone Map": "ボーンマップをエクスポート",
    "Export what is mapped by hand to a JSON file, for others who animate the same rig":
        "手動の割り当てを JSON ファイルにエクスポートします（同じリグを使う人のため）",
    "Exported {joints} to {name}.": "{joints}を {name} にエクスポートしました。",
    "Extrapolation": "外挿",
    "Failed": "失敗",
    "Feet": "足",
    "Files to show": "表示するファイル",
    "Fill in limbs whose pose is missing, in several ways to choose from; the rest of the body stays as it is":
        "ポーズが欠けている手足を、選べる複数の案で補完します。身体の他の部分はそのままです",
    "Fill the frames between the selected keys as a body moves; the keys stay exactly as they are":
        "選択したキーの間のフレームを身体の動きに沿って埋めます。キーは正確にそのままです",
    "Filled {frames} frames between {keys} keys of {armature}{ways} to {action}, seed {seed}":
        "{armature} の {keys} 個のキーの間の {frames} フレームを埋め{ways}、{action} に書き込みました、シード {seed}",
    "Filling in missing joints": "欠けている関節を補完中",
    "Filling the gaps": "隙間を補間中",
    "Filter": "フィルター",
    "Find Bones": "ボーンを検索",
    "Find the bones of the body and check those that were mapped by hand, which are kept":
        "身体のボーンを検索し、手動で割り当てたものを確認します。手動の割り当ては残ります",
    "Finding bones": "ボーンを検索中",
    "Finding spikes and drop-outs": "スパイクと欠落を検索中",
    "Finding the distance": "距離を推定中",
    "Fit Range": "範囲をフィット",
    "Fit to Targets": "ターゲットにフィット",
    "Fitting": "フィット中",
    "Fitting keypoints": "キーポイントにフィット中",
    "Fitting poses": "ポーズをフィット中",
    "Fitting the body": "体を当てはめ中",
    "Follow Live": "ライブで追従",
    "Following targets": "ターゲットに追従中",
    "Forget the armature's scores, and with them the graph and the colours":
        "アーマチュアの評価を、グラフや色とともに破棄します",
    "Forget the keypoints that were read, and with them what is shown over the camera's view":
        "読み込んだキーポイントと、カメラビュー上の表示を消します",
    "Frame Rate": "フレームレート",
    "Frame of the scene that shows the file's first frame": "ファイルの最初のフレームを示すシーンのフレーム",
    "Frames": "フレーム",
    "Frames before and after the keypoints over which the motion goes over into them":
        "キーポイントの前後で、動きがキーポイントへ移り変わるフレーム数",
    "Frames from one pose to the next along the timeline": "タイムライン上のポーズ間のフレーム数",
    "Frames on which the result is blended": "結果をブレンドするフレーム",
    "Frames over which the result comes in after the first frame of the range":
        "範囲の最初のフレームの後、結果が入ってくるまでのフレーム数",
    "Frames over which the result goes out before the last frame of the range":
        "範囲の最後のフレームの前、結果が抜けていくまでのフレーム数",
    "Frames over which the targets set in where the range begins or ends amid the action":
        "範囲がアクションの途中で始まる、または終わる場合に、ターゲットが効き始めるまでのフレーム数",
    "Frames that are scored": "評価するフレーム",
    "Frames that may change": "変更してよいフレーム",
    "Frames with a selected key stay exactly as they are, and the result passes through them":
        "選択したキーのあるフレームは正確にそのままで、結果はそこを通ります",
    "From the first to the last key that is selected": "選択した最初のキーから最後のキーまで",
    "Full": "フル",
    "Further cameras that saw the same person, beside that of Animate from Keypoints":
        "「キーポイントからアニメート」のカメラのほかに、同じ人物を捉えたカメラ",
    "GFPose": "GFPose",
    "Gaussian": "ガウシアン",
    "Generate": "生成",
    "Generate Idle": "待機を生成",
    "Generate Idle Presets": "「待機を生成」のプリセット",
    "Generate Poses": "ポーズを生成",
    "Generate Poses Presets": "「ポーズを生成」のプリセット",
    "Generating": "生成中",
    "Generating poses": "ポーズを生成中",
    "Gentle": "弱め",
    "Give the render the images' size and, where the keypoint file tells of its camera, the camera that lens":
        "レンダーを画像のサイズに合わせ、キーポイントのファイルにカメラの情報があれば、カメラをそのレンズにします",
    "Go to the least plausible frame, or on to the next one; in Pose Mode its oddest bones are selected":
        "最も不自然なフレーム、またはその次へ移動します。ポーズモードでは最もおかしいボーンを選択します",
    "Graph": "グラフ",
    "Hands and Feet": "手と足",
    "Height": "高さ",
    "Held where they rest, in clips whose feet slide": "足が滑るクリップで、接地した足を固定します",
    "Held wherever they rest, or are near the floor and slow":
        "接地した足、または床に近く遅い足を常に固定します",
    "How deep the breath goes: 1 as people who stand do, 0 not at all":
        "呼吸の深さ: 1 は立っている人と同じ、0 はまったくなし",
    "How far a joint may be from where a key on every frame would have it, in millimetres":
        "毎フレームにキーがある場合の位置から関節が離れてよい距離（ミリメートル）",
    "How far the way may stray: 0 is the most likely, 1 as lively as captured motion":
        "経路がどれだけ外れてよいか: 0 は最も確からしく、1 は実際のモーションと同じくらい生き生きします",
    "How far weight goes from foot to foot: 1 as people who stand do, 0 not at all":
        "足から足への体重移動の大きさ: 1 は立っている人と同じ、0 はまったくなし",
    "How gently the motion gives way to a target that comes or goes suddenly, in seconds":
        "突然現れる、または消えるターゲットにモーションが譲る緩やかさ（秒）",
    "How long the loop is": "ループの長さ",
    "How many different animations to choose from, made of the hypotheses":
        "仮説から作る、選べるアニメーションの数",
    "How many different idles": "異なる待機の数",
    "How many different ways to fill in what is missing": "欠けている部分を埋める案の数",
    "How many different ways; needs some variation": "異なる案の数。ある程度の変化が必要です",
    "How many poses": "ポーズの数",
    "How many variants further on; negative goes back": "先へ進むバリエーションの数。負の値で戻ります",
    "How much frames hang together: with 0 each is refined by itself, with 1 as is usual, more is calmer":
        "フレーム同士のつながりの強さ：0 では 1 フレームずつ別々に、1 では通常どおり、大きいほど穏やかになります",
    "How much is removed: 0 changes nothing, 1 as much as the clip needs, 2 twice that":
        "除去する量: 0 は変更なし、1 はクリップに必要な量、2 はその 2 倍",
    "How much of all that is likely this variant stands for": "このバリエーションが全体の可能性に占める割合",
    "How much of the pose stays: with 1 nothing moves that no target needs, with 0 the whole body takes the most natural pose":
        "ポーズを残す量: 1 ではターゲットに不要な部分は動かず、0 では全身が最も自然なポーズになります",
    "How much of the result is seen: 0 is the original, 1 the result":
        "結果をどれだけ表すか: 0 は元、1 は結果",
    "How much trunk, head and arms stir: 1 as people who stand do, 0 not at all":
        "胴、頭、腕の揺れの大きさ: 1 は立っている人と同じ、0 はまったくなし",
    "How often the motion goes back and forth between keypoints and prior: more are nearer, and take longer":
        "動きがキーポイントと事前分布の間を往復する回数：多いほど近づき、時間がかかります",
    "How the frames between keys are found": "キーの間のフレームを求める方法",
    "How the motion is cleaned": "モーションをクリーンにする方法",
    "Hypotheses": "仮説",
    "Idle": "待機",
    "Idling": "待機を生成中",
    "Images": "画像",
    "Import Bone Map": "ボーンマップをインポート",
    "Import Keypoints": "キーポイントをインポート",
    "Import a bone map from a JSON file, in place of what is mapped by hand":
        "手動の割り当ての代わりに、JSON ファイルからボーンマップをインポートします",
    "In between": "中間",
    "In-between": "中割り",
    "In-between Presets": "「中割り」のプリセット",
    "In-betweening": "中割り中",
    "Include Found Bones": "見つかったボーンを含む",
    "Index": "番号",
    "Influence": "影響",
    "Interpreter that runs the engine, or the folder of its environment (venv or conda), for a PyTorch of your own; empty for the one that DPOSER_PYTHON names, else Blender's. Used from the engine's next start":
        "エンジンを実行するインタープリター、または環境（venv か conda）のフォルダー。自分の PyTorch を使う場合に指定します。空なら DPOSER_PYTHON が指すもの、なければ Blender のものを使います。次のエンジン開始時から有効です",
    "Into the asset browser; the animation stays as it is":
        "アセットブラウザーに入れます。アニメーションはそのままです",
    "Jitter": "ジッター",
    "Joint": "関節",
    "Joints": "ジョイント",
    "Joints that get a target; hold Shift to choose several":
        "ターゲットを付ける関節。Shift を押しながら複数選べます",
    "Jump to Worst Frame": "最悪のフレームへジャンプ",
    "Keep": "保持",
    "Keep Feet": "足を保持",
    "Keep Pose": "ポーズを保持",
    "Keep Selected Keys": "選択中のキーを保持",
    "Keep the settings of Clean Motion as a preset, or remove a preset":
        "モーションクリーンの設定をプリセットとして保存、またはプリセットを削除します",
    "Keep the settings of Complete Limbs as a preset, or remove a preset":
        "「手足を補完」の設定をプリセットとして保存、またはプリセットを削除します",
    "Keep the settings of Generate Idle as a preset, or remove a preset":
        "「待機を生成」の設定をプリセットとして保存、またはプリセットを削除します",
    "Keep the settings of Generate Poses as a preset, or remove a preset":
        "「ポーズを生成」の設定をプリセットとして保存、またはプリセットを削除します",
    "Keep the settings of In-between as a preset, or remove a preset":
        "「中割り」の設定をプリセットとして保存、またはプリセットを削除します",
    "Keep the variant that is shown, and forget the others": "表示中のバリエーションを残し、他を破棄します",
    "Keep what is mapped by hand as a preset on this machine, for this rig in other files":
        "手動の割り当てをこのマシンのプリセットとして保存します（他のファイルの同じリグのため）",
    "Kept variant {number} of {count} in {action}.":
        "{count} 中 {number} 番目のバリエーションを {action} に残しました。",
    "Key Pose": "ポーズをキーに記録",
    "Key the pose; else it is put back": "ポーズにキーを挿入します。しない場合は元に戻します",
    "Keypoints": "キーポイント",
    "Keys": "キー",
    "Keys only where the original had keys: they move, and what lies between follows":
        "元のキーがある位置のみ: キーが動き、その間は追従します",
    "Layer": "レイヤー",
    "Learned Smoother": "学習スムーサー",
    "Learned from real motion: how bodies move from one pose to another":
        "実際のモーションから学習: 身体がポーズからポーズへどう動くか",
    "Learned from real motion: removes noise, jumps and drop-outs; needs a humanoid rig":
        "実際のモーションから学習: ノイズ、飛び、欠落を除去。人型のリグが必要です",
    "Left Arm": "左腕",
    "Left Leg": "左脚",
    "Left as the cleaning leaves them": "クリーン後のままにします",
    "Left {action}, which something else uses.": "{action} はほかで使われているため残しました。",
    "Length": "長さ",
    "Let the armature show another of the results of the last run":
        "前回の実行の別の結果をアーマチュアに表示します",
    "Let the body follow its targets on every frame of a range, and write it to a new action":
        "範囲の全フレームで身体をターゲットに従わせ、新規アクションに書き込みます",
    "Let the body follow its targets while you drag them. Enter keys the pose, Esc puts it back":
        "ドラッグ中、身体をターゲットに従わせます。Enter でキーを挿入、Esc で元に戻します",
    "Let the hips move and turn where arms and legs do not suffice":
        "腕と脚で足りない場合に、腰の移動と回転を許可します",
    "Lifting": "3D に変換中",
    "Linear": "リニア",
    "Lively variants": "生き生きした案",
    "Load Preset": "プリセットを読み込み",
    "Load this preset in place of what is mapped by hand":
        "手動の割り当ての代わりに、このプリセットを読み込みます",
    "Loaded {joints} from {name}.": "{name} から{joints}を読み込みました。",
    "Loading PyTorch": "PyTorch を読み込み中",
    "Looking for damage": "破損を検索中",
    "Looking for packages": "パッケージを検索中",
    "Low-pass filter, the usual choice of studios; works on any rig":
        "ローパスフィルター。スタジオで一般的。どのリグでも使えます",
    "Made {armature} idle for {seconds:.1f} s{ways} in {action}, seed {seed}":
        "{armature} の待機 {seconds:.1f} 秒を作り{ways}、{action} に書き込みました、シード {seed}",
    "Made {poses} for {armature} in {action}, seed {seed}":
        "{armature} の{poses}を {action} に作りました、シード {seed}",
    "Make a loop of standing still from the current pose: breath, weight from foot to foot, small turns of the head":
        "現在のポーズから静止のループを作ります: 呼吸、足から足への体重移動、頭の小さな動き",
    "Make the motion smooth and natural, whatever any camera saw": "カメラが捉えたものに関係なく、動きを滑らかで自然にします",
    "Make up natural poses for the armature: one to choose on this frame, some along the timeline, or pose assets":
        "アーマチュアの自然なポーズを作ります: このフレームで一つ選ぶか、タイムラインに並べるか、ポーズアセットにします",
    "Making the idle": "待機を作成中",
    "Map joints of the left side by hand first": "最初に左側の関節を手動で割り当ててください",
    "Map the right side by hand as the left side is, by the bones' names; joints found automatically stay so":
        "ボーンの名前により、右側を左側と同じように手動で割り当てます。自動で見つかった関節はそのままです",
    "Map the selected bone to this joint; of several, the active one":
        "選択中のボーンをこの関節に割り当てます。複数の場合はアクティブなボーンを使います",
    "Match Camera": "カメラを合わせる",
    "Measuring likelihoods": "尤度を測定中",
    "Measuring the noise": "ノイズを測定中",
    "Median": "中央値",
    "Method": "方式",
    "Mirror L to R": "左から右へミラー",
    "Mirror Left to Right": "左から右へミラー反転",
    "Missing": "ありません",
    "Mix the result with the original, on chosen bones and frames; the full result stays at hand for another mix":
        "選んだボーンとフレームで結果と元を混ぜます。完全な結果は残り、何度でも混ぜ直せます",
    "More Variants": "バリエーションを追加",
    "Most likely": "最も確からしい",
    "Motion Prior": "モーション事前分布",
    "Move Hips": "腰を動かす",
    "NLA Layer": "NLAレイヤー",
    "Name": "名前",
    "Name of the preset": "プリセットの名前",
    "Named by DPOSER_PYTHON: {path}": "DPOSER_PYTHON で指定: {path}",
    "Never": "なし",
    "New Action": "新規アクション",
    "Next": "次",
    "No armature follows its targets now": "現在ターゲットに従っているアーマチュアはありません",
    "No bone": "ボーンなし",
    "No joint is mapped by hand": "手動で割り当てた関節はありません",
    "No joint is mapped by hand, so there is nothing to keep":
        "手動で割り当てた関節がないため、保存するものがありません",
    "No {kind}": "{kind} なし",
    "Noise": "ノイズ",
    "Noisy video mocap": "ノイズの多いビデオモーキャプ",
    "None found": "見つかりません",
    "Nothing": "なし",
    "NumPy {numpy}, SciPy {scipy}": "NumPy {numpy}、SciPy {scipy}",
    "Oddest joint": "最もおかしい関節",
    "Of the camera in the list, from 0": "リスト内のカメラの番号（0 から）",
    "Of the images in pixels; with 0 what the file says, or else the render's":
        "画像のピクセル数。0 ではファイルの値、なければレンダーの値",
    "Of the keypoints, in frames per second; with 0 what the file says, or else the scene's":
        "キーポイントの毎秒フレーム数。0 ではファイルの値、なければシーンの値",
    "Off the keypoints": "キーポイントとのずれ",
    "On the current frame; the poses are variants to choose from":
        "現在のフレームに。ポーズは選べるバリエーションになります",
    "One after the other along the timeline, from the current frame on":
        "現在のフレームから、タイムラインに沿って順に並べます",
    "One guess": "一案のみ",
    "Only Smooth": "滑らかにするだけ",
    "Optical mocap": "光学式モーキャプ",
    "Original": "オリジナル",
    "Original Slot": "元のスロット",
    "Out": "アウト",
    "Output": "出力",
    "Overwrite": "上書き",
    "Packages": "パッケージ",
    "Parts": "部位",
    "Parts of the body; hold Shift to choose several": "身体の部位。Shift を押しながら複数選べます",
    "Person": "人物",
    "Pick Active Bone": "アクティブボーンを取得",
    "Plausibility": "自然さ",
    "Polynomial through neighbouring frames, which keeps peaks; works on any rig":
        "隣接フレームを通る多項式。ピークを保ちます。どのリグでも使えます",
    "Pose": "ポーズ",
    "Pose Assets": "ポーズアセット",
    "Poses": "ポーズ",
    "Poses drawn for each frame: more tell better what is likely, and take longer":
        "各フレームで引くポーズの数。多いほど確からしいものがわかり、時間もかかります",
    "Preparing to compare": "比較を準備中",
    "Preset": "プリセット",
    "Presets": "プリセット",
    "Preview": "プレビュー",
    "Previous": "前",
    "Prior": "事前分布",
    "Processor that the engine computes on": "エンジンが計算に使うプロセッサー",
    "Pull the armature's motion onto what one or several cameras saw of it, as 2D keypoints, or just make it smooth":
        "アーマチュアの動きを、1 台または複数のカメラが 2D キーポイントとして捉えた位置に引き寄せるか、滑らかにするだけにします",
    "Put Back": "元に戻す",
    "PyTorch": "PyTorch",
    "PyTorch cannot be loaded ({cause}): reinstall it in {path}, or choose another Python":
        "PyTorch を読み込めません ({cause}): {path} に再インストールするか、別の Python を選んでください",
    "PyTorch {version} finds no graphics card for {kind}: choose Automatic as device, or install the card's driver":
        "PyTorch {version} は {kind} 用のグラフィックカードを見つけられません: デバイスを「自動」にするか、カードのドライバーをインストールしてください",
    "PyTorch {version} was made without {kind}: choose Automatic as device, or a Python whose PyTorch has it":
        "PyTorch {version} は {kind} に対応していません: デバイスを「自動」にするか、対応する PyTorch のある Python を選んでください",
    "Python": "Python",
    "Range": "範囲",
    "Rare or odd": "まれ・不自然",
    "Rare poses": "珍しいポーズ",
    "Read Keypoints": "キーポイントを読み込む",
    "Read the keypoint file, and show whom it shows; changes nothing":
        "キーポイントのファイルを読み、写っている人物を示します。何も変更しません",
    "Reading": "読み取り中",
    "Reading keypoints": "キーポイントを読み込み中",
    "Reading the motion": "モーションを読み取り中",
    "Reading weights": "ウェイトを読み込み中",
    "Reasons": "根拠",
    "Redo the Unseen": "見えなかった部分を作り直す",
    "Reduced": "削減",
    "Refine to Keypoints": "キーポイントに合わせて改善",
    "Refined {bones} of {armature} to keypoints in {action}: {pixels}":
        "{armature} の{bones}をキーポイントに合わせて {action} に改善しました：{pixels}",
    "Refining": "改善中",
    "Rejected": "除外",
    "Remove Camera": "カメラを除去",
    "Remove Preset": "プリセットを削除",
    "Remove Targets": "ターゲットを削除",
    "Remove the armature's targets; its motion stays as it is":
        "アーマチュアのターゲットを削除します。モーションはそのままです",
    "Remove the result of the last run with all its variants, and go back to the original":
        "前回の結果とそのバリエーションをすべて削除し、元に戻します",
    "Remove this camera from the list; the camera itself stays": "このカメラをリストから除きます。カメラ自体は残ります",
    "Removed preset {name}.": "プリセット {name} を削除しました。",
    "Removed {action}.": "{action} を削除しました。",
    "Removes jumps and leaves the rest almost as it is; works on any rig":
        "飛びを除去し、他はほぼそのまま残します。どのリグでも使えます",
    "Rendering {width} x {height} pixels through a lens of {lens:.1f} mm.":
        "{lens:.1f} mm のレンズで {width} x {height} ピクセルをレンダリングします。",
    "Rendering {width} x {height} pixels; the file tells of no lens.":
        "{width} x {height} ピクセルをレンダリングします。ファイルにレンズの情報はありません。",
    "Repeat Last Tool": "前回を繰り返す",
    "Rest": "レスト",
    "Restart Engine": "エンジンを再起動",
    "Restless": "落ち着きなく",
    "Result": "結果",
    "Result Slot": "結果のスロット",
    "Right Arm": "右腕",
    "Right Leg": "右脚",
    "Rotation": "回転",
    "Rounds": "回数",
    "Run": "実行",
    "Run the last tool again on the original with the next seed, and add what it gives to the variants":
        "次のシードで前回のツールを元に対して再実行し、結果をバリエーションに加えます",
    "Run the last tool again with the same settings, on the armatures that are selected now":
        "同じ設定で、今選択しているアーマチュアに前回のツールを再実行します",
    "Running": "実行中",
    "Save Preset": "プリセットを保存",
    "Save Preset...": "プリセットを保存...",
    "Saved {joints} as preset {name}.": "{joints}をプリセット {name} として保存しました。",
    "Savitzky-Golay": "Savitzky-Golay",
    "Scene": "シーン",
    "Score Again": "再評価",
    "Score Motion": "モーションを評価",
    "Score how natural the active armature's pose is on every frame, and show where it is not; changes nothing":
        "アクティブなアーマチュアのポーズの自然さを全フレームで評価し、不自然な箇所を示します。何も変更しません",
    "Score the motion first: press Plausibility": "最初にモーションを評価してください:「自然さ」を押します",
    "Scoring": "評価中",
    "Seed": "シード",
    "Select an armature first": "最初にアーマチュアを選択してください",
    "Selected": "選択",
    "Selected Bones": "選択ボーン",
    "Selected Keys": "選択中のキー",
    "Sets out from what keypoints or heatmaps leave open, and looks at the frames around":
        "キーポイントやヒートマップで決まらない部分から始め、前後のフレームも見ます",
    "Settings of Animate from Keypoints": "「キーポイントからアニメート」の設定",
    "Settings of Blend Result": "「結果をブレンド」の設定",
    "Settings of Complete Limbs": "「手足を補完」の設定",
    "Settings of Fit to Targets": "「ターゲットにフィット」の設定",
    "Settings of Generate Idle": "「待機を生成」の設定",
    "Settings of Generate Poses": "「ポーズを生成」の設定",
    "Settings of In-between": "「中割り」の設定",
    "Settings of Plausibility": "「自然さ」の設定",
    "Settings of Refine to Keypoints": "「キーポイントに合わせて改善」の設定",
    "Several results to choose from": "選べる複数の結果",
    "Share": "割合",
    "Show Keypoints": "キーポイントを表示",
    "Show Original": "元を表示",
    "Show Result": "結果を表示",
    "Show Variant": "バリエーションを表示",
    "Show in the 3D viewport how odd each joint is on the current frame":
        "現在のフレームで各関節がどれだけおかしいかを 3D ビューポートに表示します",
    "Show in the timeline and the dope sheet how odd each frame is: taller is odder":
        "各フレームがどれだけおかしいかをタイムラインとドープシートに表示します: 高いほど不自然です",
    "Show the keypoints of the current frame over the view through the camera":
        "カメラビューに現在のフレームのキーポイントを表示します",
    "Show the original in place of the result, or the result again":
        "結果の代わりに元を表示、または再び結果を表示します",
    "Shown: {action}.": "表示: {action}。",
    "Smoothed {bones} of {armature} to {action}": "{armature} の{bones}を滑らかにして {action} に書き込みました",
    "Smoothing": "スムージング中",
    "Smoothing the root": "ルートをスムージング中",
    "Smoothness": "滑らかさ",
    "Smoothness (s)": "滑らかさ (秒)",
    "Solving": "解決中",
    "Sorted out": "修正済み",
    "Spacing": "間隔",
    "Spine and shoulders": "背骨と肩",
    "Spline": "スプライン",
    "Start": "開始",
    "Start of the random numbers of the result": "結果の乱数の開始値",
    "Start of the random numbers that this variant comes from": "このバリエーションの元になった乱数の開始値",
    "Start of the random numbers: the same seed gives the same result":
        "乱数の開始値: 同じシードなら同じ結果になります",
    "Start the engine if needed, and see whether Python, PyTorch, device and weights are ready, and how quick it is":
        "必要ならエンジンを開始し、Python、PyTorch、デバイス、ウェイトの準備と速度を調べます",
    "Starting": "開始中",
    "Starts when it is needed": "必要なときに開始します",
    "Step": "ステップ",
    "Strength": "強さ",
    "Switched in the result, where the limb changes:": "結果の中で、手足が変わるところで切り替わります:",
    "Switches": "スイッチ",
    "Take back all that was mapped by hand: every bone is found automatically":
        "手動の割り当てをすべて取り消します: すべてのボーンは自動で見つかります",
    "Take back what was mapped to this joint by hand, so that its bone is found automatically":
        "この関節の手動の割り当てを取り消し、ボーンが自動で見つかるようにします",
    "Target": "ターゲット",
    "Tells the run that made the result from others": "結果を作った実行をほかと区別する",
    "Test Solve": "テスト計算",
    "The action itself; undo brings the original back": "アクション自体。元に戻すで復元できます",
    "The action that animates the armature": "アーマチュアを動かしているアクション",
    "The action that holds the result": "結果を持つアクション",
    "The action that the result was made from": "結果の元になったアクション",
    "The actions of all variants were deleted: run the tool again.": "すべてのバリエーションのアクションが削除されました。ツールをもう一度実行してください。",
    "The armature has no scores": "アーマチュアに評価がありません",
    "The body's joint": "身体の関節",
    "The body's joint whose bone follows the target": "ターゲットに従うボーンの身体の関節",
    "The bones of chosen parts of the body": "選んだ身体の部位のボーン",
    "The bones that are selected in Pose Mode": "ポーズモードで選択中のボーン",
    "The bones that are selected in Pose Mode stay as they are":
        "ポーズモードで選択中のボーンはそのままにします",
    "The camera that sees the person; the scene's where none is chosen":
        "人物を写すカメラ。選ばなければシーンのカメラ",
    "The current frame alone": "現在のフレームのみ",
    "The empty that the bone follows": "ボーンが従うエンプティ",
    "The engine does not respond": "エンジンが応答していません",
    "The engine was restarted.": "エンジンを再起動しました。",
    "The engine works ({solve}).": "エンジンは動作しています ({solve})。",
    "The engine's Python has no PyTorch: install it in {path}, or choose another Python; until then only the Learned Smoother and the filters work":
        "エンジンの Python に PyTorch がありません: {path} にインストールするか、別の Python を選んでください。それまでは「学習スムーサー」とフィルターのみ使えます",
    "The engine's Python lacks PyTorch, or what goes with it: only the Learned Smoother, the filters and Spline can be used":
        "エンジンの Python に PyTorch またはその付属パッケージがありません: 「学習スムーサー」、フィルター、「スプライン」のみ使えます",
    "The graphics processor of an Apple computer": "Apple コンピューターのグラフィックプロセッサー",
    "The head": "頭",
    "The keypoint file does not tell the size of its images: give width and height":
        "キーポイントのファイルに画像のサイズがありません：幅と高さを指定してください",
    "The last run gave one result: ask for several variants":
        "前回の結果は一つです: 複数のバリエーションを指定してください",
    "The least plausible moment of all": "全体で最も不自然な瞬間",
    "The list is empty": "リストは空です",
    "The motion has changed since it was scored": "評価の後にモーションが変更されました",
    "The next one, less bad than the last": "次の瞬間。前ほど悪くありません",
    "The one before, worse than the last": "前の瞬間。より悪いものです",
    "The part of the action inside the preview range": "プレビュー範囲内のアクションの部分",
    "The part of the action inside the scene's frame range": "シーンのフレーム範囲内のアクションの部分",
    "The preview range": "プレビュー範囲",
    "The processor": "プロセッサー",
    "The render has not the images' proportions": "レンダーの縦横比が画像と異なります",
    "The result is an NLA layer: run the tool with a new action as its result":
        "結果は NLA レイヤーです: 結果を新規アクションにしてツールを実行してください",
    "The result was made from a pose or NLA strips": "結果はポーズまたは NLA ストリップから作られた",
    "The result was written as an NLA layer": "結果は NLA レイヤーとして書き込まれた",
    "The result's curves from before it was blended": "ブレンド前の結果のカーブ",
    "The scene has no camera: add one, or choose one": "シーンにカメラがありません：追加するか選んでください",
    "The scene's frame range": "シーンのフレーム範囲",
    "The slot of the original action": "元のアクションのスロット",
    "The slot of the result's action": "結果のアクションのスロット",
    "The spectra of real motion alone: removes noise, jumps and drop-outs in no time; needs a humanoid rig":
        "実際のモーションのスペクトルのみ: ノイズ、飛び、欠落を瞬時に除去。人型のリグが必要です",
    "The whole body is posed anew": "全身のポーズを新しくします",
    "There are as many cameras as can be used": "使えるカメラの数の上限です",
    "There are no keypoints: read some first": "キーポイントがありません：先に読み込んでください",
    "There is no result: run a tool first": "結果がありません: 最初にツールを実行してください",
    "There is no such camera in the list.": "リストにそのカメラはありません。",
    "There is nothing to repeat: run a tool first":
        "繰り返すものがありません: 最初にツールを実行してください",
    "Thigh, shin, foot and toes": "太もも、すね、足、つま先",
    "This Frame": "このフレーム",
    "This frame": "このフレーム",
    "Time": "時間",
    "Tolerance": "許容範囲",
    "Tolerance (mm)": "許容範囲 (mm)",
    "Tool": "ツール",
    "Tools need what the engine's Python lacks ({modules}): install it in {path}, or choose another Python":
        "エンジンの Python に、ツールに必要なモジュールがありません ({modules}): {path} にインストールするか、別の Python を選んでください",
    "Torso": "胴体",
    "Trunk": "胴",
    "Turn the bone with its target, too": "ボーンもターゲットとともに回転させます",
    "Usual": "普通",
    "Values of channels that only the result has keys for": "結果だけがキーを持つチャンネルの値",
    "Variant": "バリエーション",
    "Variant {number} of {count}, seed {seed}.":
        "{count} 中 {number} 番目のバリエーション、シード {seed}。",
    "Variants": "バリエーション",
    "Variation": "変化",
    "Variety": "多様さ",
    "Waiting for the render": "レンダリングを待機中",
    "Weight Shift": "体重移動",
    "Weighted average over neighbouring frames; works on any rig":
        "隣接フレームの加重平均。どのリグでも使えます",
    "Weights": "ウェイト",
    "Weights are damaged ({names}): reinstall DPoser":
        "ウェイトが破損しています ({names}): DPoser を再インストールしてください",
    "Weights are missing ({names}): reinstall DPoser":
        "ウェイトがありません ({names}): DPoser を再インストールしてください",
    "What Animate from Keypoints could not see of the body is made anew from what it saw around it":
        "「キーポイントからアニメート」で見えなかった体の部分を、その前後に見えたものから作り直します",
    "What becomes of the poses": "ポーズの使い道",
    "What knows how people move": "人の動きを知るモデル",
    "What made the result, in a word": "結果を作ったツールの名前",
    "What the animation did outside the keys of its action": "アクションのキーの外でのアニメーションの動作",
    "What to call the preset; one of that name is replaced": "プリセットの名前。同名のものは置き換えられます",
    "Where the result goes": "結果の書き込み先",
    "Whether feet are held still where they rest on something": "接地した足を固定するかどうか",
    "Which": "どれ",
    "Which actions of an armature are cleaned": "アーマチュアのどのアクションをクリーンにするか",
    "Which bones are which joints of the body": "どのボーンが身体のどの関節か",
    "Which frames get a key": "キーを挿入するフレーム",
    "Which of the worst moments": "どの最悪の瞬間か",
    "Which variant the result shows": "結果が表示するバリエーション",
    "While the hips move, feet without a target stay where they are; one in the air gives way":
        "腰が動いても、ターゲットのない足はその場に残ります。宙にある足は譲ります",
    "Whole Result": "結果全体",
    "Whose keypoints; the most certain person's where this is empty": "誰のキーポイントか。空なら最も確かな人物",
    "Width": "幅",
    "Without Action": "アクションなし",
    "Without Keys": "キーなし",
    "Without {modules}": "{modules} なし",
    "Worst": "最悪",
    "Worst Frame": "最悪のフレーム",
    "and {count} more": "他 {count} 件",
    "in {count} ways": "（{count} 案）",
    "off by {after} instead of {before} pixels": "ずれは {before} から {after} ピクセルに",
    "the NLA strips": "NLA ストリップ",
    "the pose before": "以前のポーズ",
    "{count} NLA strips": "NLAストリップ {count} 個",
    "{count} bones": "{count} ボーン",
    "{count} files": "{count} ファイル",
    "{count} joints": "{count} 関節",
    "{count} of 22 joints": "22 関節中 {count}",
    "{count} poses": "{count} ポーズ",
    "{found} of {count} files": "{count} ファイル中 {found}",
    "{frames} frames in {seconds:.2f} s": "{frames} フレームに {seconds:.2f} 秒",
    "{joint} is not mapped by hand; nothing was changed.":
        "{joint}は手動で割り当てられていません。何も変更されませんでした。",
    "{joint} is {bone}.": "{joint}は {bone} です。",
    "{minutes}:{seconds:02} left": "残り {minutes}:{seconds:02}",
    "{name} needs no cleaning; nothing was changed.":
        "{name} はクリーンにする必要がありません。何も変更されませんでした。",
    "{number} of {count}  ·  seed {seed}":
        "{count} 中 {number}  ·  シード {seed}",
    "{number} of {count}: frame {frame:g}, {joint}":
        "{count} 中 {number}: フレーム {frame:g}、{joint}",
    "{share:.0f} % of frames": "フレームの {share:.0f} %",
    "{speed:.0f} frames/s": "{speed:.0f} フレーム/秒",
}

BODY = body_texts(
    {
        "Left": "左", "Right": "右", "left": "左", "right": "右",
        "Head": "頭", "Neck": "首", "Pelvis": "骨盤",
        "Lower Spine": "背骨下部", "Middle Spine": "背骨中部", "Upper Spine": "背骨上部",
        "Hip": "股関節", "Knee": "膝", "Ankle": "足首", "Toes": "つま先",
        "Collar": "鎖骨", "Shoulder": "肩", "Elbow": "肘", "Wrist": "手首",
        "head": "頭", "neck": "首", "hips": "腰",
        "lower spine": "背骨下部", "middle spine": "背骨中部", "upper spine": "背骨上部",
        "thigh": "太もも", "shin": "すね", "foot": "足", "toes": "つま先",
        "collarbone": "鎖骨", "upper arm": "上腕", "forearm": "前腕", "hand": "手",
    },
    joint="{bone}の関節",
    bone="{bone}のボーン。空なら自動で見つけます",
    begins="{bone}の始まり",
    absent="この関節を使いません: リグに{bone}のボーンがないか、変更しない場合",
    without="{joint}なし",
)  # fmt: skip

# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine train``: the priors of poses and of motion, and the motion spectra, from motion capture.

The prior's settings follow the released configuration (DPoser, configs/subvp) but for what one CPU session imposes,
which the model card states: fewer iterations, a shorter EMA, bf16 arithmetic where the processor has it, and a time
shared by several items of a batch, which makes the time path nearly free.

``torchrun --nproc_per_node N -m engine train ...`` trains by several processes (`engine.training.ranks`); ``--batch``
is each one's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.errors import EngineError

STATISTICS = ("dynamics", "standing")
"""Priors that are sums over the data, which one process gathers; the others are trained by all that torchrun starts."""
SHARED_TIMES = ("dposer", "conditional")
"""Priors in whose training several items of a batch share a diffusion time."""
AUGMENTATIONS = ("mirror", "warp", "recombine", "misfit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train``; imports nothing heavy."""
    parser.add_argument(
        "--prior",
        choices=[
            "dposer", "conditional", "dynamics", "motion", "standing", "gfpose", "context", "diffpose", "scorehmr",
        ],
        default="dposer",
        help="which prior to train",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, nargs="+", default=[], help="folders of clips, or of AMASS files"
    )
    parser.add_argument("--val", type=Path, nargs="+", help="folders held out for validation")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/dposer"), help="folder for checkpoints, log and weights"
    )
    parser.add_argument("--iterations", type=int, default=40000)
    parser.add_argument("--batch", type=int, default=1280, help="of each process that torchrun starts")
    parser.add_argument(
        "--times-per-batch", type=int, default=160, help="distinct diffusion times in a batch"
    )
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--warm-up", type=int, default=1000, help="iterations of linear warm-up")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--hidden", type=int, default=1024, help="width of the network, a multiple of 32")
    parser.add_argument("--embed", type=int, default=512, help="width of the time embedding, even")
    parser.add_argument("--blocks", type=int, default=2, help="gfpose, diffpose, scorehmr: residual blocks")
    parser.add_argument("--features", type=int, default=512, help="scorehmr: of a context of keypoints")
    parser.add_argument(
        "--image-features", type=Path, nargs="+", default=[], metavar="FILE.npz",
        help="scorehmr: contexts are features of pictures, which such files hold, in place of --data",
    )  # fmt: skip
    parser.add_argument(
        "--image-poses", type=Path, nargs="+", default=[], metavar="FILE.npz",
        help="scorehmr: SMPL poses (N, 72) in those pictures, a file for each (default: the same files)",
    )  # fmt: skip
    parser.add_argument(
        "--conditions", choices=["unified", "2d", "3d"], default="unified",
        help="gfpose: what is seen of a person: keypoints, 3D joints, or now these and now those",
    )  # fmt: skip
    parser.add_argument(
        "--masks", type=float, nargs=3, default=[0.1, 0.2, 0.1], metavar=("HUMAN", "PART", "JOINT"),
        help="gfpose: chances that a condition lacks everything, each part, each joint (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--detector", choices=["mixed", "exact", "detected"], default="mixed",
        help="gfpose, context, diffpose, scorehmr: noise of keypoints",
    )  # fmt: skip
    parser.add_argument(
        "--deterministic", action="store_true", help="gfpose: train the same network to regress the joints"
    )
    parser.add_argument("--frames", type=int, default=1, help="context: of the sequences that it sees")
    parser.add_argument("--width", type=int, default=128, help="context, diffpose: features of a joint")
    parser.add_argument("--heads", type=int, default=4, help="context, diffpose: of the attention")
    parser.add_argument("--depth", type=int, default=4, help="context: blocks")
    parser.add_argument("--context", type=Path, metavar="FILE", help="diffpose: weights of the encoder")
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="gfpose, diffpose, scorehmr: begin from the network of another prior; context: from an encoder of single "
        "frames",
    )
    parser.add_argument("--no-context", action="store_true", help="diffpose: keep the context from the network")
    parser.add_argument("--components", type=int, default=5, help="diffpose: of the mixture that poses start from")
    parser.add_argument("--standard", action="store_true", help="diffpose: diffuse to white noise instead")
    parser.add_argument("--single-step", action="store_true", help="diffpose: tell the pose in one step")
    parser.add_argument("--steps", type=int, default=50, help="diffpose: of the diffusion")
    parser.add_argument(
        "--betas", type=float, nargs=2, metavar=("FIRST", "LAST"), help="diffpose: noise of a step, rising linearly"
    )
    parser.add_argument(
        "--representation", choices=["axis-angle", "6d"], default="axis-angle", help="of a joint's rotation"
    )
    parser.add_argument(
        "--normalisation",
        choices=["none", "min-max", "z-score"],
        default="z-score",
        help="of its coordinates",
    )
    parser.add_argument(
        "--auxiliary", choices=["none", "plain", "weighted"], default="none",
        help="joints of a 10-step recovery as a further loss (DPoser sec. D), or weighted by log(1 + alpha/sigma)",
    )  # fmt: skip
    parser.add_argument(
        "--auxiliary-batch",
        type=int,
        default=64,
        help="how many poses of a batch the further loss is taken on",
    )
    parser.add_argument(
        "--bank-frames", type=int, default=3_000_000,
        help="motion: frames of damaged clips that a second process makes while the training runs",
    )  # fmt: skip
    parser.add_argument("--weight-decay", type=float, default=0.01, help="motion: of AdamW")
    parser.add_argument("--unposed", action="store_true", help="motion: hide from it where the body is")
    parser.add_argument(
        "--augmentation", nargs="*", choices=AUGMENTATIONS, default=AUGMENTATIONS,
        help="motion: what clips are varied by (default: all)",
    )  # fmt: skip
    parser.add_argument("--subjects", type=float, default=1.0, help="motion: share of the subjects to train on")
    parser.add_argument("--ema", type=float, default=0.9995, help="decay of the averaged weights")
    parser.add_argument("--validate-every", type=int, default=500)
    parser.add_argument(
        "--patience", type=int, default=12, help="validations without improvement before it stops"
    )
    parser.add_argument(
        "--keep-every", type=int, default=0,
        help="also keep the averaged weights of every so many iterations (default: the best ones only)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument(
        "--share-alike", action="store_true", help="also train on clips under share-alike licences"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--fresh", action="store_true", help="start anew even where a checkpoint exists")


def run(args: argparse.Namespace) -> int:
    """Train, validate, keep the best weights; resumes from ``out/checkpoint.safetensors`` where there is one.

    Raises:
        FileError: no data. WeightsError: the checkpoint cannot be resumed. DeviceError: no such device.
        EngineError: the batch cannot be shared among its times.
    """
    if args.prior in SHARED_TIMES and (min(args.batch, args.times_per_batch) < 1 or args.batch % args.times_per_batch):
        raise EngineError(
            f"A batch of {args.batch} cannot be shared evenly among {args.times_per_batch} diffusion times; choose a "
            "--batch that is a multiple of --times-per-batch."
        )
    if bool(args.data) == bool(args.image_features) or (args.image_features and args.prior != "scorehmr"):
        raise EngineError("Train on clips, --data, or, of the prior scorehmr alone, on --image-features; name one.")
    from engine.training.ranks import together

    with together(args.device) as ranks:
        if args.prior in STATISTICS:
            if ranks.leads:
                _gather(args)
        elif args.prior == "conditional":
            from engine.training.conditional import train_conditional

            train_conditional(args, ranks)
        elif args.prior == "motion":
            from engine.training.motion import train_motion

            train_motion(args, ranks=ranks)
        elif args.prior == "gfpose":
            from engine.training.gfpose import train_gfpose

            train_gfpose(args, ranks)
        elif args.prior == "scorehmr":
            from engine.training.scorehmr import train_scorehmr

            train_scorehmr(args, ranks)
        elif args.prior in ("context", "diffpose"):
            from engine.training import diffpose

            {"context": diffpose.train_context, "diffpose": diffpose.train_diffpose}[args.prior](args, ranks)
        else:
            from engine.training.loop import train_dposer

            train_dposer(args, ranks)
    return 0


def _gather(args: argparse.Namespace) -> None:
    """Learn what takes one pass over the data."""
    args.out.mkdir(parents=True, exist_ok=True)
    notes = {"folders": str(len(args.data))}
    if args.prior == "standing":
        from engine.priors import standing as standing_file
        from engine.training.standing import learn as learn_standing

        spectra = learn_standing(args.data, args.share_alike)
        standing_file.save(args.out / "standing.safetensors", spectra, notes)
        return
    from engine.priors.pose_gaussian import PoseGaussian
    from engine.priors.spectra_file import save
    from engine.training import dataset
    from engine.training.dynamics import learn

    poses = dataset.load(args.data, args.share_alike)
    gaussian = PoseGaussian.of(poses.poses, poses.subject_weights())
    gaussian.save(args.out / "gaussian.safetensors", notes)
    save(args.out / "dynamics.safetensors", learn(args.data, args.share_alike), notes)

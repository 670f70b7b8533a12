# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of what others may have made, and coverage-guided fuzzing of each: ``python build.py fuzz``."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of ``python -m engine``, a module each: ``add_arguments(parser)`` and ``run(args) -> exit code``."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""What DPoser is compared with, trained on the same poses. For evaluation only: no task of the engine uses them."""

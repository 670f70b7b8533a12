# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of takes: what ``python -m engine clean FOLDER OUT`` does on one machine or many.

`walk` finds the takes, `claims` keeps two runs off one take, `record` remembers what is done, `work` cleans one take,
`pool` and `ray_pool` have it done elsewhere, `run` leads, and `summary` tells what came of it.
"""

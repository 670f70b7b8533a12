# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: properties are judged by what holds of them, and not by the time that a busy machine takes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

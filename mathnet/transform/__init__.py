"""Transforms: functions from graphs to graphs."""

"""Metrics and logs: names declared once, nothing global, nothing imported from the rooms above."""

"""Composite orders: brackets, either-ors, icebergs, slices and legs, emulated with plain orders.

`following` takes the commands and goes on after every turn; `standing` is the fold's side; each kind has a module.
"""

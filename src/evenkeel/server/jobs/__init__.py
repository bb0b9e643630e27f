"""Work that people ask for and wait for: done one at a time, each in a process of its own, off the trading loop.

`job` says what is asked and kept, `queue` runs it, `worker` is the other process, and `kept` is what it leaves behind.
"""

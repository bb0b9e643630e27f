"""Every speed claim of this project as a command: `python -m benchmarks NAME` checks a result, then prints figures."""

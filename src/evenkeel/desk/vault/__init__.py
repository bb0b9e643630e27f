"""The vault: broker credentials, sealed under keys that only their owner, or this server where asked to, can open.

A person has a random *data key*. It is wrapped by what they know (their password or passphrase, with the server key),
and by each of their recovery codes. Under it lies one *account key* for each account, and under that the account's
credentials; of an unattended account the account key is wrapped under the server key as well. So what is unattended
opens after a restart, and what is attended does not, even where one person has both.
"""

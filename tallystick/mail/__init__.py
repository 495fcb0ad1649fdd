"""Documents sent to customers by e-mail: off unless a mail server, or a folder, is set."""

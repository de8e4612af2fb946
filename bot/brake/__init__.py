"""The brake: stop, pause, steer, resume and abort, whoever pulls it and from where."""

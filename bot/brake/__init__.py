"""The brake, as far as it is pure: what people type, and what they order by it."""

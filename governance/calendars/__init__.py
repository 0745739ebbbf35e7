"""Business calendars as pure functions: opening hours, holidays, and time that counts only while the firm works."""

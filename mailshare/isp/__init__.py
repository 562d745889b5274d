"""The provider's side: accounts, collecting, relaying, the timetable."""

"""All that is known about the assistants endpoint: its tables, and how one record becomes rows."""

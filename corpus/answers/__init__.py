"""What people ask of a build: card, report, explain, trace, compare, SQL, settings, doctor."""

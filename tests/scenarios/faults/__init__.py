"""The whole daemon under faults in virtual time: seeded plans, independent judges, planted bugs."""

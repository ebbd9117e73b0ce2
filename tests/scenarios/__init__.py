"""The whole product under fire: processes that are killed, sessions that are cut off and taken up again."""

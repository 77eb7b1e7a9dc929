-- One row: what a binary has to know to work on this database, where the schema does not tell, and
-- the version that first knew it. An earlier binary refuses what it would misread.

CREATE TABLE needs (
    format  INTEGER NOT NULL,
    version TEXT    NOT NULL
) STRICT;

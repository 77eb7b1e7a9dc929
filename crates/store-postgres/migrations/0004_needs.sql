-- One row: what a binary has to know to work on this database, where the schema does not tell, and
-- the version that first knew it. An earlier binary refuses what it would misread. Of no tenant, and
-- read before any is known; only the owner writes it, as with `migrations`.

CREATE TABLE needs (
    format                  BIGINT NOT NULL,
    version                 TEXT COLLATE "C" NOT NULL
);

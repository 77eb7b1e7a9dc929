-- What the vault needs to be kept: the audit log, what is owed to issuers, what changed, and which
-- key every sealed row hangs on, so that a key in use cannot be dropped.
--
-- `key_generation` is the generation of the tenant's key that sealed the row; NULL holds no key, as
-- where nothing is sealed. `key_purpose` is there for the foreign key alone.

CREATE TABLE registrations_2 (
    tenant_id               TEXT    NOT NULL,
    id                      TEXT    NOT NULL,
    server_id               TEXT    NOT NULL,
    issuer                  TEXT    NOT NULL,
    origin                  TEXT    NOT NULL,
    client_id               TEXT    NOT NULL,
    auth_method             TEXT    NOT NULL,
    redirect_uri            TEXT,
    secret_expires_at       INTEGER,
    registration_client_uri TEXT,
    sealed                  BLOB    NOT NULL,
    is_current              INTEGER NOT NULL,
    created_at              INTEGER NOT NULL,
    key_purpose             TEXT    NOT NULL DEFAULT 'tenant' CHECK (key_purpose = 'tenant'),
    key_generation          INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
) STRICT;

-- A record begins `CLVS`, version 1, algorithm 1, eight bytes of a KEK, and the generation. Until
-- now there was only the first.
INSERT INTO registrations_2 (tenant_id, id, server_id, issuer, origin, client_id, auth_method,
    redirect_uri, secret_expires_at, registration_client_uri, sealed, is_current, created_at,
    key_generation)
SELECT tenant_id, id, server_id, issuer, origin, client_id, auth_method, redirect_uri,
    secret_expires_at, registration_client_uri, sealed, is_current, created_at,
    (SELECT k.generation FROM vault_keys AS k
     WHERE k.tenant_id = r.tenant_id AND k.purpose = 'tenant' AND k.generation = 1
         AND length(r.sealed) >= 98 AND hex(substr(r.sealed, 1, 6)) = '434C56530101'
         AND hex(substr(r.sealed, 15, 4)) = '00000001')
FROM registrations AS r ORDER BY rowid;

DROP TABLE registrations;
ALTER TABLE registrations_2 RENAME TO registrations;

CREATE UNIQUE INDEX registrations_current
    ON registrations (tenant_id, server_id, issuer) WHERE is_current = 1;
CREATE INDEX registrations_server ON registrations (tenant_id, server_id);
CREATE INDEX registrations_key ON registrations (tenant_id, key_generation);

CREATE TABLE credentials_2 (
    tenant_id           TEXT    NOT NULL,
    server_id           TEXT    NOT NULL,
    user_id             TEXT    NOT NULL,
    account             TEXT    NOT NULL,
    version             INTEGER NOT NULL,
    fingerprint         BLOB    NOT NULL,
    issuer              TEXT    NOT NULL,
    token_endpoint      TEXT    NOT NULL,
    revocation_endpoint TEXT,
    resource            TEXT    NOT NULL,
    registration_id     TEXT,
    scopes_requested    TEXT    NOT NULL,
    scopes_granted      TEXT    NOT NULL,
    obtained_at         INTEGER NOT NULL,
    expires_at          INTEGER,
    is_refreshable      INTEGER NOT NULL,
    sealed              BLOB    NOT NULL,
    key_purpose         TEXT    NOT NULL DEFAULT 'tenant' CHECK (key_purpose = 'tenant'),
    key_generation      INTEGER,
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
) STRICT;

INSERT INTO credentials_2 (tenant_id, server_id, user_id, account, version, fingerprint, issuer,
    token_endpoint, revocation_endpoint, resource, registration_id, scopes_requested,
    scopes_granted, obtained_at, expires_at, is_refreshable, sealed, key_generation)
SELECT tenant_id, server_id, user_id, account, version, fingerprint, issuer, token_endpoint,
    revocation_endpoint, resource, registration_id, scopes_requested, scopes_granted, obtained_at,
    expires_at, is_refreshable, sealed,
    (SELECT k.generation FROM vault_keys AS k
     WHERE k.tenant_id = c.tenant_id AND k.purpose = 'tenant' AND k.generation = 1
         AND length(c.sealed) >= 98 AND hex(substr(c.sealed, 1, 6)) = '434C56530101'
         AND hex(substr(c.sealed, 15, 4)) = '00000001')
FROM credentials AS c ORDER BY rowid;

DROP TABLE credentials;
ALTER TABLE credentials_2 RENAME TO credentials;

CREATE INDEX credentials_user ON credentials (tenant_id, user_id);
CREATE INDEX credentials_key ON credentials (tenant_id, key_generation);

CREATE TABLE sign_ins_2 (
    tenant_id      TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    server_id      TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    state_mac      BLOB    NOT NULL,
    sealed         BLOB    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    taken_at       INTEGER,
    outcome        TEXT,
    key_purpose    TEXT    NOT NULL DEFAULT 'tenant' CHECK (key_purpose = 'tenant'),
    key_generation INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
) STRICT;

INSERT INTO sign_ins_2 (tenant_id, id, server_id, user_id, account, state_mac, sealed, created_at,
    expires_at, taken_at, outcome, key_generation)
SELECT tenant_id, id, server_id, user_id, account, state_mac, sealed, created_at, expires_at,
    taken_at, outcome,
    (SELECT k.generation FROM vault_keys AS k
     WHERE k.tenant_id = s.tenant_id AND k.purpose = 'tenant' AND k.generation = 1
         AND length(s.sealed) >= 98 AND hex(substr(s.sealed, 1, 6)) = '434C56530101'
         AND hex(substr(s.sealed, 15, 4)) = '00000001')
FROM sign_ins AS s ORDER BY rowid;

DROP TABLE sign_ins;
ALTER TABLE sign_ins_2 RENAME TO sign_ins;

CREATE UNIQUE INDEX sign_ins_open
    ON sign_ins (tenant_id, server_id, user_id, account) WHERE outcome IS NULL;
CREATE UNIQUE INDEX sign_ins_state ON sign_ins (tenant_id, state_mac);
CREATE INDEX sign_ins_server ON sign_ins (tenant_id, server_id);
-- Only to find the tenant of a callback; it promises nothing.
CREATE INDEX sign_ins_locate ON sign_ins (state_mac);

-- The lowest generation among the sealed settings of a server; without a row there are none.
CREATE TABLE server_keys (
    tenant_id      TEXT    NOT NULL,
    server_id      TEXT    NOT NULL,
    key_purpose    TEXT    NOT NULL DEFAULT 'tenant' CHECK (key_purpose = 'tenant'),
    key_generation INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, server_id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
) STRICT;

-- In base64 a record begins like this.
INSERT INTO server_keys (tenant_id, server_id, key_generation)
SELECT s.tenant_id, s.id, k.generation
FROM servers AS s JOIN vault_keys AS k
    ON k.tenant_id = s.tenant_id AND k.purpose = 'tenant' AND k.generation = 1
WHERE instr(s.auth, '"Q0xWUwEB') > 0;

-- Tokens that ended here and that their issuer has not yet confirmed to have ended. The server may
-- be gone by then.
CREATE TABLE revocations (
    tenant_id      TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    server_id      TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    server_name    TEXT    NOT NULL,
    issuer         TEXT    NOT NULL,
    sealed         BLOB    NOT NULL,
    attempts       INTEGER NOT NULL,
    next_at        INTEGER NOT NULL,
    last_failure   TEXT,
    created_at     INTEGER NOT NULL,
    key_purpose    TEXT    NOT NULL DEFAULT 'tenant' CHECK (key_purpose = 'tenant'),
    key_generation INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, key_purpose, key_generation)
        REFERENCES vault_keys (tenant_id, purpose, generation)
) STRICT;

-- Chains belong to processes, so a chain goes through all tenants. `tenant_id` is empty for the
-- installation's own business. One tree and one index: every refresh writes here.
CREATE TABLE audit (
    chain     TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    node      TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    tenant_id TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    act       TEXT    NOT NULL,
    object    TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    detail    TEXT    NOT NULL,
    count     INTEGER NOT NULL,
    mac       BLOB    NOT NULL,
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_at ON audit (at);

-- What changed in the last minutes, for whoever keeps rows in memory. The last row always stays, so
-- that no number is given twice. `tenant_id` is `*` for what is the installation's own.
CREATE TABLE changes (
    seq       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL DEFAULT (unixepoch()),
    tenant_id TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    server_id TEXT,
    user_id   TEXT,
    account   TEXT,
    version   INTEGER
) STRICT;

-- One row: which file the numbers of `changes` belong to.
CREATE TABLE feed (
    id TEXT NOT NULL
) STRICT;

INSERT INTO feed (id) VALUES (lower(hex(randomblob(16))));

-- One row: what the database says of itself.
CREATE TABLE installation (
    tenant_id     TEXT    NOT NULL DEFAULT '' CHECK (tenant_id = ''),
    id            TEXT    NOT NULL,
    restore_epoch INTEGER NOT NULL,
    restored_at   INTEGER,
    is_held       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id)
) STRICT;

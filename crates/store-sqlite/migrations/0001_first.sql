-- The first schema. Every row has a tenant, and every unique index starts with it, so that a name
-- taken in one tenant is free in another. Instants are whole seconds, flags 0 or 1, `json` in TEXT.

CREATE TABLE servers (
    tenant_id     TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    slug          TEXT    NOT NULL,
    display_name  TEXT    NOT NULL,
    url           TEXT    NOT NULL,
    auth          TEXT    NOT NULL,
    allow_private INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX servers_slug ON servers (tenant_id, slug);

CREATE TABLE registrations (
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
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX registrations_current
    ON registrations (tenant_id, server_id, issuer) WHERE is_current = 1;
CREATE INDEX registrations_server ON registrations (tenant_id, server_id);

CREATE TABLE credentials (
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
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE connections (
    tenant_id  TEXT    NOT NULL,
    server_id  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    standing   TEXT    NOT NULL,
    reason     TEXT,
    challenge  TEXT,
    step_ups   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE sign_ins (
    tenant_id  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    server_id  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    state_mac  BLOB    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    taken_at   INTEGER,
    outcome    TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX sign_ins_open
    ON sign_ins (tenant_id, server_id, user_id, account) WHERE outcome IS NULL;
CREATE UNIQUE INDEX sign_ins_state ON sign_ins (tenant_id, state_mac);
CREATE INDEX sign_ins_server ON sign_ins (tenant_id, server_id);
-- Only to find the tenant of a callback; it promises nothing.
CREATE INDEX sign_ins_locate ON sign_ins (state_mac);

-- A row outlives its holder, so that the epoch never starts again.
CREATE TABLE leases (
    tenant_id     TEXT    NOT NULL,
    server_id     TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    account       TEXT    NOT NULL,
    owner         TEXT    NOT NULL,
    epoch         INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, server_id, user_id, account),
    FOREIGN KEY (tenant_id, server_id) REFERENCES servers (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE api_tokens (
    tenant_id  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    mac        BLOB    NOT NULL,
    servers    TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX api_tokens_mac ON api_tokens (tenant_id, mac);
-- Only to find the tenant of a request; it promises nothing.
CREATE INDEX api_tokens_locate ON api_tokens (mac);

-- `tenant_id` is empty for the installation's own keys: NULL would not be unique.
CREATE TABLE vault_keys (
    tenant_id  TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    kek_id     BLOB    NOT NULL,
    wrapped    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, purpose, generation)
) STRICT;

-- SPDX-License-Identifier: Apache-2.0
-- Accounts, the audit log, exports and imports.

-- How many new strings of each kind records brought on a day, so that a hostile sender cannot grow them.
CREATE TABLE new_values (
  day INTEGER NOT NULL, -- UTC, in days of Unix time; older days are removed
  dimension TEXT NOT NULL CHECK (dimension IN ('classification', 'build', 'profile')),
  added INTEGER NOT NULL,
  PRIMARY KEY (day, dimension)
) STRICT, WITHOUT ROWID;

-- Accounts of people. As long as there is none, who is on this host may do everything.
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  password_hash TEXT, -- argon2id, PHC string format; NULL where a proxy logs in
  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3), -- Role in src/model/account.rs
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  logged_in_at INTEGER -- the last time; NULL before the first
) STRICT;

-- Who is logged in.
CREATE TABLE sessions (
  digest BLOB PRIMARY KEY, -- SHA-256 of the cookie's value
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  until_at INTEGER NOT NULL, -- moved on by requests, not with each
  peer TEXT NOT NULL, -- the address that logged in
  user_agent TEXT NOT NULL -- its beginning
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions__account_id ON sessions (account_id);
CREATE INDEX sessions__until_at ON sessions (until_at);

-- Tokens of programs that ask the API in the name of an account.
CREATE TABLE api_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL UNIQUE, -- SHA-256 of the token
  account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL, -- what it is for
  scope INTEGER NOT NULL CHECK (scope BETWEEN 1 AND 4), -- Scope in src/model/account.rs
  created_at INTEGER NOT NULL,
  until_at INTEGER, -- NULL: for ever
  used_at INTEGER -- the last time, by the hour; NULL before the first
) STRICT;
CREATE INDEX api_tokens__account_id ON api_tokens (account_id);

-- Every change that a person or a job made, in the transaction of the change.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  changed_at INTEGER NOT NULL,
  actor TEXT NOT NULL, -- an account's name, an investigator's, or what else acted: src/model/audit.rs
  origin TEXT NOT NULL, -- the address, or the command
  action TEXT NOT NULL, -- what was done, like record.delete
  subject TEXT NOT NULL, -- to what
  before TEXT, -- JSON; NULL where there was nothing
  after TEXT -- JSON; NULL where nothing is left
) STRICT;

-- How far `muster export --follow` got, by the name of who follows.
CREATE TABLE export_cursors (
  name TEXT PRIMARY KEY,
  record_id INTEGER NOT NULL, -- the last one that was handed over
  moved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far an import got, so that it goes on where it was cut off.
CREATE TABLE imports (
  source_digest BLOB PRIMARY KEY, -- what the file is known by: src/store/imports.rs
  name TEXT NOT NULL, -- of the file, for people
  base_record_id INTEGER NOT NULL, -- the newest record when it began: what is up to there may be known
  offset_bytes INTEGER NOT NULL, -- what is before it is stored or rejected
  rows_stored INTEGER NOT NULL,
  rows_known INTEGER NOT NULL, -- were stored before
  rows_rejected INTEGER NOT NULL,
  rejects_path TEXT NOT NULL, -- where the rejected rows are
  rejects_bytes INTEGER NOT NULL, -- how long that file was then
  moved_at INTEGER NOT NULL,
  is_done INTEGER NOT NULL CHECK (is_done IN (0, 1))
) STRICT, WITHOUT ROWID;

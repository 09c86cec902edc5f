-- SPDX-License-Identifier: Apache-2.0
-- The whole current schema of muster.db. A new file gets it at once; an older one is brought here by
-- src/store/migrations. Times are Unix seconds, UTC, by the server's clock unless a comment says otherwise.

-- Facts about this file, one a row, written by the store.
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Each classification that a record has; written with the first such record.
CREATE TABLE classifications (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE, -- DOMAIN/PROBE/REST
  records INTEGER NOT NULL DEFAULT 0 -- how many rows of records have it, always exact
) STRICT;

-- Each OS build that a record has.
CREATE TABLE builds (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  system_name TEXT NOT NULL, -- ID of os-release; empty for records of format version 1, which have none
  build TEXT NOT NULL,
  records INTEGER NOT NULL DEFAULT 0, -- always exact
  UNIQUE (system_name, build)
) STRICT;

-- Each combination of hardware and kernel that a record has. The empty string where a record has no value.
CREATE TABLE profiles (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  arch TEXT NOT NULL,
  host_type TEXT NOT NULL, -- sys_vendor|product_name|product_version
  board_name TEXT NOT NULL,
  cpu_model TEXT NOT NULL,
  bios_version TEXT NOT NULL,
  kernel_version TEXT NOT NULL,
  records INTEGER NOT NULL DEFAULT 0, -- always exact
  UNIQUE (host_type, kernel_version, board_name, cpu_model, bios_version, arch)
) STRICT;

-- How many records have each severity; four rows from the start.
CREATE TABLE severities (
  severity INTEGER PRIMARY KEY CHECK (severity BETWEEN 1 AND 4), -- 1 low, 2 medium, 3 high, 4 critical
  records INTEGER NOT NULL DEFAULT 0 -- always exact
) STRICT;
INSERT INTO severities (severity) VALUES (1), (2), (3), (4);

-- How many records came from outside (1) and from our own machines (0); two rows from the start.
CREATE TABLE sources (
  is_external INTEGER PRIMARY KEY CHECK (is_external IN (0, 1)),
  records INTEGER NOT NULL DEFAULT 0 -- always exact
) STRICT;
INSERT INTO sources (is_external) VALUES (0), (1);

-- One telemetry record, without its payload, so that a search through a million rows reads little.
CREATE TABLE records (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- ascending in the order of storing, never used again
  received_at INTEGER NOT NULL, -- never less than in the row before, except at the ids in clock_steps
  captured_at INTEGER NOT NULL, -- by the sender's clock
  classification_id INTEGER NOT NULL REFERENCES classifications (id),
  build_id INTEGER NOT NULL REFERENCES builds (id),
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  severity INTEGER NOT NULL REFERENCES severities (severity),
  is_external INTEGER NOT NULL CHECK (is_external IN (0, 1)),
  record_format_version INTEGER NOT NULL CHECK (record_format_version BETWEEN 1 AND 4),
  payload_format_version INTEGER, -- NULL in format version 1
  machine_id ANY NOT NULL, -- a BLOB of 16 bytes for 32 lower-case hexadecimal digits, else TEXT
  event_id BLOB CHECK (length(event_id) = 16) -- NULL before format version 4
) STRICT;

-- The payloads, by record.
CREATE TABLE payloads (
  record_id INTEGER PRIMARY KEY REFERENCES records (id),
  payload ANY NOT NULL -- TEXT as it is; a BLOB is the same deflated (zlib), for the long ones
) STRICT;

-- Each index is there for a filter of /records and /api/records; rowid is the second column of all of them,
-- so rows come newest first without sorting.
CREATE INDEX records__classification_id ON records (classification_id);
CREATE INDEX records__build_id ON records (build_id);
CREATE INDEX records__severity ON records (severity);
CREATE INDEX records__id_external ON records (id) WHERE is_external = 1;
-- Machine and event ids are random: an index over all of them would touch a page of its own for every record.
-- Within a run of 2048 records it touches few, and a search probes run after run, newest first.
CREATE INDEX records__run_machine_id ON records (id >> 11, machine_id);
CREATE INDEX records__run_event_id ON records (id >> 11, event_id) WHERE event_id IS NOT NULL;

-- The ids at which received_at is less than in the row before, because the clock was set back or old records were
-- loaded. Between two of them ids and times have the same order, so a time is found by bisection, without an index.
CREATE TABLE clock_steps (
  first_id INTEGER PRIMARY KEY
) STRICT;

-- What was stored in the last 24 hours, so that a record sent again is known. Ordered by the sender's time, because
-- new rows then land side by side. The newest are not here yet: see recents_through in meta and src/store/recents.rs.
CREATE TABLE recent_records (
  captured_at INTEGER NOT NULL,
  digest INTEGER NOT NULL, -- first 8 bytes of the SHA-256 over the fields that make a record the same
  record_id INTEGER NOT NULL,
  PRIMARY KEY (captured_at, digest)
) STRICT, WITHOUT ROWID;

-- Posts that broke a rule and were kept aside. Bounded by count and bytes, oldest out first.
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at INTEGER NOT NULL,
  reason TEXT NOT NULL, -- the rule, as the sender was told
  peer TEXT NOT NULL, -- address of the sender
  head BLOB NOT NULL, -- request line and header fields as they came
  body BLOB NOT NULL, -- of one over the limit the first 64 KiB
  is_body_cut INTEGER NOT NULL CHECK (is_body_cut IN (0, 1))
) STRICT;

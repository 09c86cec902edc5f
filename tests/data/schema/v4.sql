-- SPDX-License-Identifier: Apache-2.0
-- Schema version 4 as released, with three records, an agent and an account. Frozen: never change this file.
-- Times are Unix seconds, UTC, by the server's clock unless a comment says otherwise.

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

-- Functions that backtraces name. One that crashes are laid at the door of is a guilty; its id stands in addresses.
CREATE TABLE functions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  function TEXT NOT NULL, -- as the first sender of it wrote it
  name TEXT NOT NULL, -- without a trailing () and version: what it is matched and grouped by
  module TEXT NOT NULL, -- without brackets; empty where none was sent
  backtraces INTEGER NOT NULL DEFAULT 0, -- how many rows of backtraces name it, always exact
  comment TEXT NOT NULL DEFAULT '', -- an admin's
  is_hidden INTEGER NOT NULL DEFAULT 0 CHECK (is_hidden IN (0, 1)), -- taken out of the lists of guilties by an admin
  UNIQUE (name, module)
) STRICT;
CREATE INDEX functions__hidden ON functions (id) WHERE is_hidden = 1;

-- Each different stack of frames of a crashing thread.
CREATE TABLE backtraces (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest INTEGER NOT NULL UNIQUE, -- first 8 bytes of the SHA-256 over kind and frames with their sources
  kind INTEGER NOT NULL CHECK (kind IN (1, 2)), -- 1 program, 2 kernel
  functions BLOB NOT NULL, -- ids of functions, 4 bytes each, little-endian, top first; src/store/derived/crashes.rs says which
  guilty_id INTEGER REFERENCES functions (id), -- by the blacklist that applies; NULL where there is no frame
  crashes INTEGER NOT NULL DEFAULT 0, -- how many rows of crashes have it, always exact
  newest_record_id INTEGER NOT NULL DEFAULT 0 -- the greatest record_id of these
) STRICT;
CREATE INDEX backtraces__guilty_id ON backtraces (guilty_id);

-- Each record of a class with a backtrace, also where it has no frame that can be read.
CREATE TABLE crashes (
  record_id INTEGER PRIMARY KEY REFERENCES records (id),
  backtrace_id INTEGER NOT NULL REFERENCES backtraces (id),
  build_id INTEGER NOT NULL REFERENCES builds (id), -- as in records
  received_day INTEGER NOT NULL, -- UTC day of received_at, in days of Unix time
  machine_id ANY NOT NULL -- as in records
) STRICT;
-- For the machines, builds and backtraces of a guilty, and for moving crashes to another guilty.
CREATE INDEX crashes__backtrace_id ON crashes (backtrace_id, build_id, machine_id, received_day);

-- How many crashes each guilty has, by day and build; always exact, without rows of zero.
CREATE TABLE crash_days (
  kind INTEGER NOT NULL, -- as in backtraces
  received_day INTEGER NOT NULL,
  guilty_id INTEGER NOT NULL, -- in functions; 0 for crashes without guilty
  build_id INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  PRIMARY KEY (kind, received_day, guilty_id, build_id)
) STRICT, WITHOUT ROWID;

-- The same over all days.
CREATE TABLE crash_totals (
  kind INTEGER NOT NULL,
  guilty_id INTEGER NOT NULL,
  build_id INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  PRIMARY KEY (kind, guilty_id, build_id)
) STRICT, WITHOUT ROWID;

-- The same over all days and guilties.
CREATE TABLE crash_builds (
  kind INTEGER NOT NULL,
  build_id INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  PRIMARY KEY (kind, build_id)
) STRICT, WITHOUT ROWID;

-- What an admin changed of the shipped blacklist. Whether that is on at all is blacklist_defaults in meta, which list
-- the stored guilties follow is guilties_follow there, and how far those came that follow a new one is recompute.
CREATE TABLE blacklist (
  entry TEXT PRIMARY KEY, -- function, or function [module]
  is_on INTEGER NOT NULL CHECK (is_on IN (0, 1)) -- 1: an entry of the admin's own; 0: a shipped one, switched off
) STRICT, WITHOUT ROWID;

-- Machine checks and thermal events by the ISO week of their capture; a week is its number since that of 1970-01-01.
-- This and the next six are always exact and have no rows of zero. A capture time that is more than a day ahead of the
-- reception counts as the reception.
CREATE TABLE machine_check_weeks (
  week INTEGER NOT NULL,
  classification_id INTEGER NOT NULL,
  records INTEGER NOT NULL,
  PRIMARY KEY (week, classification_id)
) STRICT, WITHOUT ROWID;

-- Machine checks without thermal events, by ISO year of the capture, build and class.
CREATE TABLE machine_check_builds (
  year INTEGER NOT NULL,
  build_id INTEGER NOT NULL,
  classification_id INTEGER NOT NULL,
  records INTEGER NOT NULL,
  PRIMARY KEY (year, build_id, classification_id)
) STRICT, WITHOUT ROWID;

-- Machine checks by status code.
CREATE TABLE machine_check_statuses (
  year INTEGER NOT NULL,
  status TEXT NOT NULL, -- eight hexadecimal digits in lower case; empty where the payload has none
  records INTEGER NOT NULL,
  PRIMARY KEY (year, status)
) STRICT, WITHOUT ROWID;

-- Machine checks by machine.
CREATE TABLE machine_check_machines (
  year INTEGER NOT NULL,
  machine_id ANY NOT NULL, -- as in records
  records INTEGER NOT NULL,
  PRIMARY KEY (year, machine_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_check_machines__records ON machine_check_machines (year, records);

-- Machine checks by machine and build.
CREATE TABLE machine_check_machine_builds (
  year INTEGER NOT NULL,
  machine_id ANY NOT NULL,
  build_id INTEGER NOT NULL,
  records INTEGER NOT NULL,
  PRIMARY KEY (year, machine_id, build_id)
) STRICT, WITHOUT ROWID;

-- Heartbeats (org.clearlinux/heartbeat/ping) of each machine by the day of their capture.
CREATE TABLE heartbeats (
  build_id INTEGER NOT NULL,
  is_external INTEGER NOT NULL,
  machine_id ANY NOT NULL, -- as in records
  captured_day INTEGER NOT NULL, -- UTC, in days of Unix time; 0 for all that are more than 15 days old
  records INTEGER NOT NULL,
  PRIMARY KEY (build_id, is_external, machine_id, captured_day)
) STRICT, WITHOUT ROWID;

-- How many machines sent their last heartbeat on each day: the sum over all days is the population.
CREATE TABLE population (
  build_id INTEGER NOT NULL,
  is_external INTEGER NOT NULL,
  last_day INTEGER NOT NULL, -- greatest captured_day that the machine has in heartbeats
  machines INTEGER NOT NULL,
  PRIMARY KEY (build_id, is_external, last_day)
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('blacklist_defaults', '1');

-- Where agents run: what MIG calls a queueloc. It is known for ever, so that a key stays bound.
CREATE TABLE endpoints (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queueloc TEXT NOT NULL UNIQUE,
  key_digest BLOB CHECK (length(key_digest) = 32), -- SHA-256 of the key that its agents show; NULL while none is bound
  bound_at INTEGER,
  may_bind INTEGER NOT NULL DEFAULT 0 CHECK (may_bind IN (0, 1)) -- 1: an admin lets the next key bind without token
) STRICT;
CREATE INDEX endpoints__key_digest ON endpoints (key_digest) WHERE key_digest IS NOT NULL;

-- Names of agents, so that a search reads each once.
CREATE TABLE agent_names (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Versions of agents.
CREATE TABLE agent_versions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  version TEXT NOT NULL UNIQUE
) STRICT;

-- Environments without what each agent has for itself (addresses, publicip); thousands of agents share one.
CREATE TABLE environments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL UNIQUE, -- first 16 bytes of the SHA-256 of the text
  environment TEXT NOT NULL -- JSON as src/model/agent.rs writes it
) STRICT;

-- Sets of tags without machine_id, shared likewise.
CREATE TABLE tag_sets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL UNIQUE, -- as in environments
  tags TEXT NOT NULL -- a JSON object of texts, keys in order
) STRICT;

-- Agents: one process of one endpoint each. What moves with heartbeats or is searched is in agent_states.
CREATE TABLE agents (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint_id INTEGER NOT NULL REFERENCES endpoints (id),
  pid INTEGER NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('daemon', 'checkin')),
  refreshed_at INTEGER, -- when it refreshed its environment, by its own clock; NULL where it did not say
  destroyed_at INTEGER, -- NULL while it was not
  publicip TEXT NOT NULL,
  addresses TEXT NOT NULL, -- a JSON array of texts
  machine_id TEXT -- its tag machine_id, which no other agent shares, as in records; NULL where it sends none
) STRICT;
CREATE UNIQUE INDEX agents__endpoint_id_pid ON agents (endpoint_id, pid) WHERE destroyed_at IS NULL;
CREATE INDEX agents__machine_id ON agents (machine_id) WHERE machine_id IS NOT NULL;

-- What is asked of all agents at once, in narrow rows side by side for each endpoint: a heartbeat touches one page in
-- hundreds, and a question about a hundred thousand agents reads a few megabytes.
CREATE TABLE agent_states (
  endpoint_id INTEGER NOT NULL,
  agent_id INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL, -- when it was heard of first
  name_id INTEGER NOT NULL,
  version_id INTEGER NOT NULL,
  environment_id INTEGER NOT NULL,
  tags_id INTEGER NOT NULL,
  is_destroyed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (endpoint_id, agent_id)
) STRICT, WITHOUT ROWID;

-- What an agent was before something changed; the newest 50 of each agent.
CREATE TABLE agent_history (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  agent_id INTEGER NOT NULL REFERENCES agents (id),
  until_at INTEGER NOT NULL, -- the heartbeat that brought the change
  name_id INTEGER NOT NULL,
  version_id INTEGER NOT NULL,
  environment_id INTEGER NOT NULL,
  tags_id INTEGER NOT NULL,
  publicip TEXT NOT NULL,
  addresses TEXT NOT NULL
) STRICT;
CREATE INDEX agent_history__agent_id ON agent_history (agent_id);

-- Heartbeats that were refused for what they showed or did not show; the newest 1000.
CREATE TABLE enrolment_refusals (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queueloc TEXT NOT NULL,
  peer TEXT NOT NULL, -- address of the sender
  reason TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  UNIQUE (queueloc, peer, reason)
) STRICT;

-- Numbers of the fleet: one row a minute for two days, one an hour beyond.
CREATE TABLE agent_statistics (
  taken_at INTEGER PRIMARY KEY,
  online_agents INTEGER NOT NULL,
  idle_agents INTEGER NOT NULL,
  online_endpoints INTEGER NOT NULL,
  idle_endpoints INTEGER NOT NULL,
  new_endpoints INTEGER NOT NULL,
  double_endpoints INTEGER NOT NULL,
  disappeared_endpoints INTEGER NOT NULL,
  flapping_endpoints INTEGER NOT NULL
) STRICT;

-- Persons who may ask and sign.
CREATE TABLE investigators (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  fingerprint TEXT UNIQUE, -- 40 hexadecimal digits in upper case; NULL without a key
  public_key TEXT, -- armored
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  permissions INTEGER NOT NULL, -- the mask of src/model/investigator.rs
  api_key_digest BLOB UNIQUE -- SHA-256 of the API key; NULL where there is none
) STRICT;

-- The key ids under which signatures name an investigator: of the primary key and of the subkeys.
CREATE TABLE investigator_keys (
  key_id BLOB NOT NULL, -- 8 bytes
  investigator_id INTEGER NOT NULL REFERENCES investigators (id) ON DELETE CASCADE,
  PRIMARY KEY (key_id, investigator_id)
) STRICT, WITHOUT ROWID;

-- Tokens that were accepted; each is accepted once.
CREATE TABLE seen_tokens (
  digest BLOB PRIMARY KEY, -- SHA-256 of what is signed
  until_at INTEGER NOT NULL, -- from then on its time alone refuses it
  peer TEXT NOT NULL -- the address that sent it
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_tokens__until_at ON seen_tokens (until_at);

-- What a module demands of an action's signatures; without rows one signature suffices.
CREATE TABLE acl_modules (
  module TEXT PRIMARY KEY, -- or default
  minimum_weight INTEGER NOT NULL CHECK (minimum_weight >= 1)
) STRICT, WITHOUT ROWID;

-- The weight of each investigator for a module.
CREATE TABLE acl_weights (
  module TEXT NOT NULL REFERENCES acl_modules (module) ON DELETE CASCADE,
  investigator_id INTEGER NOT NULL REFERENCES investigators (id),
  weight INTEGER NOT NULL CHECK (weight >= 1),
  PRIMARY KEY (module, investigator_id)
) STRICT, WITHOUT ROWID;

-- Actions.
CREATE TABLE actions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  target TEXT NOT NULL,
  threat_family TEXT NOT NULL,
  valid_from INTEGER NOT NULL, -- as signed
  expire_after INTEGER NOT NULL, -- as signed
  document TEXT NOT NULL, -- MIG's JSON of what was submitted, without id, status, times, counters and investigators
  signed_digest BLOB NOT NULL, -- SHA-256 of the signed text
  status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 7), -- ActionStatus in src/model/command.rs
  reason TEXT NOT NULL DEFAULT '', -- why it is invalid or was cancelled
  created_at INTEGER NOT NULL,
  started_at INTEGER, -- when its commands were made
  finished_at INTEGER, -- when it was over
  updated_at INTEGER, -- when its counters moved last
  created_by INTEGER REFERENCES investigators (id), -- who submitted it; NULL for the command line and the spool
  prepared INTEGER NOT NULL DEFAULT 0, -- commands by status; this and the next six are always exact
  sent INTEGER NOT NULL DEFAULT 0,
  success INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  timeout INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX actions__valid_from ON actions (valid_from);
CREATE INDEX actions__open ON actions (status, valid_from) WHERE status <= 4;

-- Who signed an action.
CREATE TABLE signatures (
  action_id INTEGER NOT NULL REFERENCES actions (id),
  investigator_id INTEGER NOT NULL REFERENCES investigators (id),
  position INTEGER NOT NULL, -- in the action's list of signatures, from 0
  signature TEXT NOT NULL, -- as it came
  PRIMARY KEY (action_id, investigator_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX signatures__investigator_id ON signatures (investigator_id);

-- Signed texts that were accepted; the same is not accepted again while it could run.
CREATE TABLE signed_texts (
  digest BLOB PRIMARY KEY, -- SHA-256
  action_id INTEGER NOT NULL,
  until_at INTEGER NOT NULL -- expireafter
) STRICT, WITHOUT ROWID;
CREATE INDEX signed_texts__until_at ON signed_texts (until_at);

-- Commands: what one agent is told by one action.
CREATE TABLE commands (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  action_id INTEGER NOT NULL REFERENCES actions (id),
  agent_id INTEGER NOT NULL REFERENCES agents (id),
  endpoint_id INTEGER NOT NULL REFERENCES endpoints (id),
  status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 7), -- CommandStatus in src/model/command.rs
  attempt INTEGER NOT NULL DEFAULT 0, -- how often it was fetched
  instance TEXT, -- the start of the agent that holds it
  leased_until INTEGER, -- until then only that start gets it, and not twice
  prepared_at INTEGER NOT NULL,
  sent_at INTEGER, -- first fetched
  finished_at INTEGER, -- by the server's clock
  found INTEGER NOT NULL DEFAULT 0, -- 1: some result found something, 2: some did not, 3: both
  is_late INTEGER NOT NULL DEFAULT 0, -- 1: answered after it had ended
  results ANY -- JSON array; TEXT, or a BLOB that is the same deflated (zlib); NULL before an answer
) STRICT;
CREATE INDEX commands__action_id ON commands (action_id, status, id);
CREATE INDEX commands__agent_id ON commands (agent_id);
CREATE INDEX commands__open ON commands (endpoint_id, id) WHERE status <= 2;

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

-- Rows.
INSERT INTO meta (name, value) VALUES ('file_id', '0123456789abcdef0123456789abcdef'), ('deletions', '0');
INSERT INTO classifications (id, name, records) VALUES (1, 'org.clearlinux/hello/world', 2), (2, 'org.clearlinux/crash/clr', 1);
INSERT INTO builds (id, system_name, build, records) VALUES (1, 'clear-linux-os', '41890', 2), (2, '', '16.04', 1);
INSERT INTO profiles (id, arch, host_type, board_name, cpu_model, bios_version, kernel_version, records)
  VALUES (1, 'x86_64', 'Intel|NUC|1', 'board', 'cpu', 'bios', '6.18.44', 3);
UPDATE severities SET records = 2 WHERE severity = 1;
UPDATE severities SET records = 1 WHERE severity = 3;
UPDATE sources SET records = 3 WHERE is_external = 0;
INSERT INTO records (id, received_at, captured_at, classification_id, build_id, profile_id, severity, is_external,
    record_format_version, payload_format_version, machine_id, event_id) VALUES
  (1, 1794000000, 1793999990, 1, 1, 1, 1, 0, 4, 1, x'000000000000000000000000000000ab', x'00000000000000000000000000000001'),
  (2, 1794000010, 1793999991, 2, 1, 1, 3, 0, 4, 1, 'a machine', x'00000000000000000000000000000002'),
  (3, 1794000020, 1793999992, 1, 2, 1, 1, 0, 1, NULL, 'a machine', NULL);
INSERT INTO payloads (record_id, payload) VALUES (1, 'first'), (2, 'second'), (3, 'third');
PRAGMA application_id = 1836413812;
INSERT INTO meta (name, value) VALUES ('guilties_follow', '00000000000000000000000000000000');
INSERT INTO functions (id, function, name, module, backtraces, comment) VALUES
  (1, 'list_find()', 'list_find', '/usr/bin/crash_c', 1, 'known'), (2, 'main()', 'main', '/usr/bin/crash_c', 1, '');
INSERT INTO backtraces (id, digest, kind, functions, guilty_id, crashes, newest_record_id)
  VALUES (1, 1234567890123456789, 1, x'0100000002000000', 1, 1, 2);
INSERT INTO crashes (record_id, backtrace_id, build_id, received_day, machine_id) VALUES (2, 1, 1, 20763, 'a machine');
INSERT INTO crash_days (kind, received_day, guilty_id, build_id, crashes) VALUES (1, 20763, 1, 1, 1);
INSERT INTO crash_totals (kind, guilty_id, build_id, crashes) VALUES (1, 1, 1, 1);
INSERT INTO crash_builds (kind, build_id, crashes) VALUES (1, 1, 1);
INSERT INTO blacklist (entry, is_on) VALUES ('my_assert [app]', 1);
PRAGMA user_version = 4;
INSERT INTO endpoints (id, queueloc) VALUES (1, 'linux.frozen.1');
INSERT INTO agent_names (id, name) VALUES (1, 'frozen.example');
INSERT INTO agent_versions (id, version) VALUES (1, '0.1.0');
INSERT INTO environments (id, digest, environment) VALUES (1, x'00', '{"os":"linux","isproxied":false,"aws":{}}');
INSERT INTO tag_sets (id, digest, tags) VALUES (1, x'00', '{}');
INSERT INTO agents (id, endpoint_id, pid, mode, publicip, addresses) VALUES (1, 1, 7, 'daemon', '192.0.2.1', '[]');
INSERT INTO agent_states VALUES (1, 1, 1795228041, 1795228041, 1, 1, 1, 1, 0);
INSERT INTO accounts (id, name, role, created_at, modified_at) VALUES (1, 'frozen', 3, 1795228041, 1795228041);
INSERT INTO audit (changed_at, actor, origin, action, subject) VALUES (1795228041, 'user root', 'muster account add', 'account.add', 'account frozen');

-- SPDX-License-Identifier: Apache-2.0
-- From 2 to 3: the fleet. New tables only.

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

-- SPDX-License-Identifier: Apache-2.0
-- Crashes, machine checks, heartbeats. What the records hold of them is counted afterwards, in Rust.

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

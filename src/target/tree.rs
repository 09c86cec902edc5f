// SPDX-License-Identifier: Apache-2.0
//! The tree of a target: everything that one can say.
//!
//! Types are checked when it is read, as Postgres would: both sides of a comparison are text, numbers or
//! times alike, and patterns apply to text.

/// A condition over one agent. NULL behaves as in SQL: a comparison with it is neither true nor false.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of at least two; none of them is an `And` itself.
    And(Vec<Condition>),
    /// One of at least two; none of them is an `Or` itself.
    Or(Vec<Condition>),
    /// The opposite. `NOT LIKE`, `!~`, `NOT IN`, `IS NOT NULL` and their like are this around the plain form.
    Not(Box<Condition>),
    /// `left = right` and its like; both sides have one type.
    Compare {
        /// What is compared.
        left: Value,
        /// How.
        comparison: Comparison,
        /// With what.
        right: Value,
    },
    /// `value BETWEEN low AND high`, both included; all have one type.
    Between {
        /// What is compared.
        value: Value,
        /// The lower end.
        low: Value,
        /// The upper end.
        high: Value,
    },
    /// `value IN (…)`; at least one and at most [`super::LIST_MAX`] texts, numbers or times of the value's
    /// type.
    In {
        /// What is looked for.
        value: Value,
        /// Where.
        list: Vec<Value>,
    },
    /// `LIKE` or `ILIKE`: [`super::is_like`] says what matches.
    Like {
        /// A text.
        value: Value,
        /// The pattern, with `%`, `_` and backslash.
        pattern: String,
        /// `ILIKE`.
        ignore_case: bool,
    },
    /// `~` or `~*`: [`super::regex`] compiles the pattern, which is known to compile.
    Matches {
        /// A text.
        value: Value,
        /// The regular expression, found anywhere in the text.
        pattern: String,
        /// `~*`.
        ignore_case: bool,
    },
    /// `value IS NULL`.
    IsNull(Value),
    /// The follow-up form: agents of which a command of the action has an operation's result with this
    /// `foundanything`.
    FollowUp {
        /// The action's id, from 1 to below 2^53.
        action_id: i64,
        /// What `foundanything` is there.
        found_anything: bool,
    },
}

/// How two values are compared. Text is compared by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`, also written `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A column of the agents.
    Column(Column),
    /// Something inside of a JSON column.
    Json(JsonPath),
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// A time.
    Time(Time),
}

/// A column of the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The agent's id; a number.
    Id,
    /// The agent's name, its host's; text.
    Name,
    /// Where its commands wait, its endpoint; text.
    Queueloc,
    /// `daemon` or `checkin`; text.
    Mode,
    /// The agent's version; text.
    Version,
    /// Its process id; a number.
    Pid,
    /// When it started; a time.
    Starttime,
    /// When it was heard of last; a time.
    Heartbeattime,
    /// When it refreshed its environment; a time.
    Refreshtime,
    /// `online`, `idle` and so on; text.
    Status,
    /// The loader that installed it; text or NULL.
    Loadername,
    /// What it found out about its host; JSON.
    Environment,
    /// What its configuration calls it; JSON.
    Tags,
}

impl Column {
    /// All columns, in the order in which messages name them.
    pub const ALL: [Column; 13] = [
        Column::Id,
        Column::Name,
        Column::Queueloc,
        Column::Mode,
        Column::Version,
        Column::Pid,
        Column::Starttime,
        Column::Heartbeattime,
        Column::Refreshtime,
        Column::Status,
        Column::Loadername,
        Column::Environment,
        Column::Tags,
    ];

    /// The name in a target.
    pub fn name(self) -> &'static str {
        match self {
            Column::Id => "id",
            Column::Name => "name",
            Column::Queueloc => "queueloc",
            Column::Mode => "mode",
            Column::Version => "version",
            Column::Pid => "pid",
            Column::Starttime => "starttime",
            Column::Heartbeattime => "heartbeattime",
            Column::Refreshtime => "refreshtime",
            Column::Status => "status",
            Column::Loadername => "loadername",
            Column::Environment => "environment",
            Column::Tags => "tags",
        }
    }
}

/// A column of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonColumn {
    /// What the agent found out about its host.
    Environment,
    /// What its configuration calls it.
    Tags,
}

impl JsonColumn {
    /// The same as one of all columns.
    pub fn column(self) -> Column {
        match self {
            JsonColumn::Environment => Column::Environment,
            JsonColumn::Tags => Column::Tags,
        }
    }
}

/// A way into a JSON column; NULL where it leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    /// Where it begins.
    pub column: JsonColumn,
    /// The steps; at least one.
    pub hops: Vec<Hop>,
    /// The last operator is `->>` or `#>>`: the value as text, of a string its characters, of `null` NULL.
    /// Otherwise it is JSON, of which one can only ask whether it is NULL.
    pub as_text: bool,
}

/// A step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// `-> 'key'`: a field of an object; of an array nothing.
    Key(String),
    /// `-> 1`: an item of an array, negative from its end; of an object nothing.
    Index(i32),
    /// `#> '{a,0}'`: each part a field of an object or, where it is a whole number, an item of an array.
    /// Without parts it stays where it is.
    Path(Vec<String>),
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole one.
    Whole(i64),
    /// One with a fraction.
    Decimal(f64),
}

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// A moment, in microseconds since the Unix epoch.
    At {
        /// Microseconds.
        unix_micros: i64,
    },
    /// `NOW() - interval '…'`; the moment of asking where the interval is zero.
    Ago(Interval),
}

/// A length of time. A month is as long as the calendar says, a day always 24 hours, as the calendar is that
/// of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Months; a year has twelve.
    pub months: i32,
    /// All the rest, in microseconds.
    pub micros: i64,
}

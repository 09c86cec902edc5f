// SPDX-License-Identifier: Apache-2.0
//! Why a connection cannot go on with a request.

use super::transport::PlainRequest;
use std::borrow::Cow;
use std::io;

/// What ends a request before it reaches its handler, or its answer before it is complete.
#[derive(Debug)]
pub(super) enum Fault {
    /// Answer this status and message, then close.
    Refuse(u16, Cow<'static, str>),
    /// Nobody is there to answer, or nothing can be said any more.
    Gone(Cow<'static, str>),
}

impl Fault {
    /// Answer `status` and close.
    pub(super) fn refuse(status: u16, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault::Refuse(status, message.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        if let Some(plain) = error.get_ref().filter(|inner| inner.is::<PlainRequest>()) {
            return Fault::refuse(400, plain.to_string());
        }
        Fault::Gone(error.to_string().into())
    }
}

//! Values as columns hold them, and back. What does not read is corrupt, and named by its column.

use claviger_model::{AccountName, CredentialKey, ServerId, TenantId, Timestamp, UserId};
use claviger_store::StoreError;
use serde::de::value::{Error as ValueError, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads a column that holds one word.
pub(crate) fn text<T>(column: String, what: &'static str) -> Result<T, StoreError>
where
    T: for<'de> Deserialize<'de>,
{
    let words: StringDeserializer<ValueError> = column.into_deserializer();
    T::deserialize(words).or(Err(StoreError::Corrupt { what }))
}

/// Writes one word: what a value without fields is called in JSON.
pub(crate) fn to_text<T: Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        Ok(_) => Err(StoreError::Corrupt { what }),
        Err(source) => Err(StoreError::Failed {
            source: source.into(),
        }),
    }
}

/// Reads a column that holds JSON.
pub(crate) fn json<T: DeserializeOwned>(column: &str, what: &'static str) -> Result<T, StoreError> {
    // Without the cause: it may quote the row.
    serde_json::from_str(column).or(Err(StoreError::Corrupt { what }))
}

/// Writes JSON.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Failed {
        source: source.into(),
    })
}

/// Reads a number that is never negative.
pub(crate) fn number<T: TryFrom<i64>>(column: i64, what: &'static str) -> Result<T, StoreError> {
    T::try_from(column).or(Err(StoreError::Corrupt { what }))
}

/// Writes a number that is never negative.
pub(crate) fn to_number(value: u64, what: &'static str) -> Result<i64, StoreError> {
    i64::try_from(value).or(Err(StoreError::Failed {
        source: TooLarge { what }.into(),
    }))
}

/// Reads a flag.
pub(crate) fn flag(column: i64, what: &'static str) -> Result<bool, StoreError> {
    match column {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(StoreError::Corrupt { what }),
    }
}

/// Reads an instant.
pub(crate) fn instant(column: i64) -> Timestamp {
    Timestamp::from_secs(column)
}

/// Reads the four columns of a key; the tenant is the one that was asked for.
pub(crate) fn credential_key(
    tenant: &TenantId,
    server: String,
    user: String,
    account: String,
) -> Result<CredentialKey, StoreError> {
    Ok(CredentialKey {
        tenant: tenant.clone(),
        user: text::<UserId>(user, "user_id")?,
        server: text::<ServerId>(server, "server_id")?,
        account: text::<AccountName>(account, "account")?,
    })
}

/// A number that does not fit the column.
#[derive(Debug, thiserror::Error)]
#[error("{what} is too large for the database")]
struct TooLarge {
    what: &'static str,
}

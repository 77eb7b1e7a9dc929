//! A key file inside an age file (age-encryption.org): for an identity, or under a passphrase.
//! Plugins are not built in: an age file would choose which program is run (RUSTSEC-2024-0433).

use std::io::Read as _;
use std::path::Path;

use age::secrecy::SecretString;
use age::{Decryptor, Identity, IdentityFile, scrypt};
use claviger_config::KeySettings;
use claviger_crypto::Secret;
use zeroize::Zeroizing;

use super::{KekError, OpenError};
use crate::places::read_key_file;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A key file is a line.
const MOST: u64 = 4096;

/// How much work a passphrase may cost: age itself makes files of about a second.
const MOST_WORK: u8 = 22;

/// What is in the age file.
pub(super) fn open(settings: &KeySettings, path: &Path, bytes: &[u8]) -> Result<Secret, OpenError> {
    let failed = |source: Cause| KekError::Age {
        path: path.to_owned(),
        source,
    };
    let identities = identities(settings, &failed)?;
    let text = decrypt(bytes, &identities).map_err(failed)?;
    Ok(Secret::new(text.as_str()))
}

fn decrypt(bytes: &[u8], identities: &[Box<dyn Identity>]) -> Result<Zeroizing<String>, Cause> {
    let armored = age::armor::ArmoredReader::new(bytes);
    let decryptor = Decryptor::new_buffered(armored)?;
    let reader = decryptor.decrypt(identities.iter().map(AsRef::as_ref))?;
    let mut text = Zeroizing::new(String::new());
    reader.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

fn identities(
    settings: &KeySettings,
    failed: &dyn Fn(Cause) -> KekError,
) -> Result<Vec<Box<dyn Identity>>, OpenError> {
    if let Some(path) = &settings.age_passphrase_file {
        let text = secret(path)?;
        let passphrase = SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned());
        let mut identity = scrypt::Identity::new(passphrase);
        identity.set_max_work_factor(MOST_WORK);
        return Ok(vec![Box::new(identity)]);
    }
    let Some(path) = &settings.age_identity_file else {
        return Err(failed("neither identity nor passphrase file is named".into()).into());
    };
    let text = secret(path)?;
    let file = IdentityFile::from_buffer(text.as_bytes()).map_err(|error| failed(error.into()))?;
    let identities = file
        .into_identities()
        .map_err(|error| failed(error.into()))?;
    Ok(identities
        .into_iter()
        .map(|one| one as Box<dyn Identity>)
        .collect())
}

fn secret(path: &Path) -> Result<Zeroizing<String>, OpenError> {
    let missing = || OpenError::KeyFileMissing {
        path: path.to_owned(),
    };
    let bytes = read_key_file(path)?.ok_or_else(missing)?;
    let text = core::str::from_utf8(&bytes).unwrap_or_default();
    Ok(Zeroizing::new(text.to_owned()))
}

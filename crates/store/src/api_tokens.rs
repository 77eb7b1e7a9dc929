//! API tokens of our own.

use async_trait::async_trait;
use claviger_model::{ApiToken, ApiTokenId};

use crate::StoreError;

/// API tokens of one tenant.
#[async_trait]
pub trait ApiTokens: Send + Sync {
    /// Adds a token.
    async fn insert_api_token(&self, token: &ApiToken) -> Result<(), StoreError>;
    /// Finds a token by its keyed MAC.
    async fn find_api_token(&self, mac: &[u8]) -> Result<Option<ApiToken>, StoreError>;
    /// Lists tokens by name.
    async fn list_api_tokens(&self) -> Result<Vec<ApiToken>, StoreError>;
    /// Deletes a token.
    async fn delete_api_token(&self, id: &ApiTokenId) -> Result<bool, StoreError>;
}

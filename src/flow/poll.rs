//! x
/// x
pub async fn lease_due(_g: &super::Gateway) -> Result<Option<crate::store::sources::Source>, crate::store::StoreError> {
    Ok(None)
}
/// x
pub async fn run(_g: &super::Gateway, _s: crate::store::sources::Source) {}

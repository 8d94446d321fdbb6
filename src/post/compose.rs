//! Item and policy to content.

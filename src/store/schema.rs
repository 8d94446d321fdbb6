//! The tables as diesel sees them: the same for both databases. A test replays the migrations and compares.

diesel::table! {
    agencies (id) {
        id -> BigInt,
        name -> Text,
        domain -> Text,
        provisioned -> Bool,
        created_at -> BigInt,
    }
}

diesel::table! {
    actors (id) {
        id -> BigInt,
        agency_id -> BigInt,
        handle -> Text,
        handle_domain -> Text,
        kind -> Text,
        language -> Text,
        profile -> Text,
        url -> Text,
        provisioned -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    actor_keys (id) {
        id -> BigInt,
        actor_id -> Nullable<BigInt>,
        kind -> Text,
        public -> Text,
        sealed -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    other_keys (id) {
        id -> BigInt,
        actor_id -> BigInt,
        serial -> Integer,
        kind -> Text,
        public -> Text,
        sealed -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    key_rotations (actor_id) {
        actor_id -> BigInt,
        serial -> Integer,
        next_serial -> Nullable<Integer>,
        switch_at -> Nullable<BigInt>,
        switched_at -> Nullable<BigInt>,
        farewell -> Nullable<BigInt>,
    }
}

diesel::table! {
    proofs (actor_id) {
        actor_id -> BigInt,
        evidence -> Nullable<Text>,
        held_at -> Nullable<BigInt>,
        checked_at -> Nullable<BigInt>,
        failure -> Nullable<Text>,
        due_at -> BigInt,
        lease_until -> BigInt,
        level -> Nullable<SmallInt>,
        ends_at -> Nullable<BigInt>,
        steps -> Nullable<Text>,
    }
}

diesel::table! {
    sources (id) {
        id -> BigInt,
        name -> Text,
        actor_id -> BigInt,
        kind -> Text,
        settings -> Text,
        provisioned -> Bool,
        created_at -> BigInt,
        etag -> Nullable<Text>,
        last_modified -> Nullable<Text>,
        reader -> Integer,
        politeness -> Nullable<Text>,
        usual_interval -> Nullable<BigInt>,
        baseline_at -> Nullable<BigInt>,
        polled_at -> Nullable<BigInt>,
        ok_at -> Nullable<BigInt>,
        newest_item_at -> Nullable<BigInt>,
        failures -> Integer,
        failure -> Nullable<Text>,
        stopped -> Nullable<Text>,
        stale_since -> Nullable<BigInt>,
        due_at -> BigInt,
        lease_until -> BigInt,
    }
}

diesel::table! {
    items (id) {
        id -> BigInt,
        source_id -> BigInt,
        source_key -> Text,
        canonical_url -> Nullable<Text>,
        digest -> Text,
        source_version -> Nullable<BigInt>,
        state -> Text,
        post_id -> Nullable<BigInt>,
        content -> Text,
        first_seen_at -> BigInt,
        last_seen_at -> BigInt,
        edited_at -> Nullable<BigInt>,
        edits_day -> BigInt,
        edits_count -> Integer,
        gone_at -> Nullable<BigInt>,
        gone_check_at -> Nullable<BigInt>,
        withdrawn_here -> Bool,
    }
}

diesel::table! {
    item_aliases (source_id, alias) {
        source_id -> BigInt,
        alias -> Text,
        item_id -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        actor_id -> BigInt,
        source_id -> Nullable<BigInt>,
        state -> Text,
        reason -> Nullable<Text>,
        due_at -> Nullable<BigInt>,
        content -> Text,
        revision -> Integer,
        published_at -> Nullable<BigInt>,
        updated_at -> Nullable<BigInt>,
        withdrawn_at -> Nullable<BigInt>,
        created_at -> BigInt,
        lane -> SmallInt,
        spread -> BigInt,
    }
}

diesel::table! {
    post_changes (post_id) {
        post_id -> BigInt,
        kind -> Text,
        content -> Nullable<Text>,
        reason -> Nullable<Text>,
        due_at -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    post_revisions (post_id, revision) {
        post_id -> BigInt,
        revision -> Integer,
        content -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    media (id) {
        id -> BigInt,
        post_id -> Nullable<BigInt>,
        source_url -> Text,
        sha256 -> Text,
        media_type -> Text,
        extension -> Text,
        width -> Integer,
        height -> Integer,
        blurhash -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    activities (id) {
        id -> BigInt,
        actor_id -> BigInt,
        post_id -> Nullable<BigInt>,
        kind -> Text,
        bytes -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    host_signatures (host) {
        host -> Text,
        scheme -> SmallInt,
        shown_by -> Text,
        shown_at -> BigInt,
        holds_until -> BigInt,
        refused_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    hosts (host) {
        host -> Text,
        failures -> Integer,
        open_until -> BigInt,
    }
}

diesel::table! {
    inboxes (id) {
        id -> BigInt,
        url -> Text,
        host -> Text,
        due_at -> Nullable<BigInt>,
        turn -> Nullable<BigInt>,
        lease_until -> BigInt,
        failures -> Integer,
        failing_since -> Nullable<BigInt>,
        parked_at -> Nullable<BigInt>,
        last_ok_at -> Nullable<BigInt>,
        last_status -> Nullable<Integer>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    deliveries (activity_id, inbox_id) {
        activity_id -> BigInt,
        inbox_id -> BigInt,
        turn -> BigInt,
        state -> SmallInt,
        attempts -> Integer,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        created_at -> BigInt,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    turns (agency_id, lane) {
        agency_id -> BigInt,
        lane -> SmallInt,
        next -> BigInt,
    }
}

diesel::table! {
    followers (id) {
        id -> BigInt,
        actor_id -> BigInt,
        url -> Text,
        host -> Text,
        inbox_id -> BigInt,
        follow_id -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    remote_actors (url) {
        url -> Text,
        document -> Text,
        key_id -> Nullable<Text>,
        fetched_at -> BigInt,
    }
}

diesel::table! {
    messages (id) {
        id -> BigInt,
        actor_id -> BigInt,
        post_id -> Nullable<BigInt>,
        url -> Text,
        author_url -> Text,
        author_handle -> Text,
        author_name -> Text,
        html -> Text,
        language -> Nullable<Text>,
        visibility -> Text,
        in_reply_to -> Nullable<Text>,
        published_at -> BigInt,
        updated_at -> Nullable<BigInt>,
        deleted_at -> Nullable<BigInt>,
        received_at -> BigInt,
    }
}

diesel::table! {
    reactions (id) {
        id -> BigInt,
        activity_url -> Nullable<Text>,
        kind -> Text,
        post_id -> BigInt,
        author_url -> Text,
        content -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    quotes (id) {
        id -> BigInt,
        post_id -> BigInt,
        author_url -> Text,
        quote_url -> Text,
        revoked_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    blocks (actor_id, url) {
        actor_id -> BigInt,
        url -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    seen_activities (url) {
        url -> Text,
        received_at -> BigInt,
    }
}

diesel::table! {
    deleted_objects (url) {
        url -> Text,
        deleted_at -> BigInt,
    }
}

diesel::table! {
    audit (id) {
        id -> BigInt,
        at -> BigInt,
        who -> Text,
        act -> Text,
        subject -> Text,
        detail -> Text,
    }
}

diesel::table! {
    public_versions (actor_id) {
        actor_id -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    source_secrets (id) {
        id -> BigInt,
        source_id -> BigInt,
        role -> Text,
        sealed -> Binary,
        set_at -> BigInt,
    }
}

diesel::table! {
    hooks (source_id) {
        source_id -> BigInt,
        lease_until -> BigInt,
        refused_at -> Nullable<BigInt>,
        refusal -> Nullable<Text>,
    }
}

diesel::table! {
    hook_deliveries (id) {
        id -> BigInt,
        source_id -> BigInt,
        delivery_key -> Text,
        digest -> Text,
        verified_by -> Text,
        headers -> Text,
        query -> Nullable<Text>,
        body -> Binary,
        received_at -> BigInt,
        state -> SmallInt,
        outcome -> Nullable<Text>,
        attempts -> Integer,
        due_at -> BigInt,
    }
}

diesel::table! {
    websub_subscriptions (id) {
        id -> BigInt,
        source_id -> BigInt,
        hub -> Text,
        topic -> Text,
        whole -> Bool,
        path_hash -> Text,
        sealed -> Binary,
        wanted -> Bool,
        created_at -> BigInt,
        asked_at -> Nullable<BigInt>,
        live_since -> Nullable<BigInt>,
        holds_until -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        failures -> Integer,
        problem -> Nullable<Text>,
        due_at -> BigInt,
        lease_until -> BigInt,
        delivered_at -> Nullable<BigInt>,
        deliveries -> BigInt,
        refused_at -> Nullable<BigInt>,
        refusal -> Nullable<Text>,
        refusals -> BigInt,
        looked_at -> Nullable<BigInt>,
        missed_at -> Nullable<BigInt>,
        missed -> BigInt,
    }
}

diesel::table! {
    tokens (id) {
        id -> BigInt,
        source_id -> BigInt,
        hash -> Text,
        name -> Text,
        scopes -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    client_requests (source_id, request_key) {
        source_id -> BigInt,
        request_key -> Text,
        digest -> Text,
        item_id -> BigInt,
        received_at -> BigInt,
    }
}

diesel::table! {
    uploads (name) {
        name -> Text,
        source_id -> BigInt,
        media_id -> BigInt,
        item_id -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    pins (post_id) {
        post_id -> BigInt,
        actor_id -> BigInt,
        pinned_at -> BigInt,
    }
}

diesel::table! {
    quote_requests (id) {
        id -> BigInt,
        post_id -> BigInt,
        author_url -> Text,
        quote_url -> Text,
        request -> Text,
        inbox_id -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    agency_organisations (agency_id) {
        agency_id -> BigInt,
        organisation -> Text,
    }
}

diesel::table! {
    registers (name) {
        name -> Text,
        kind -> Text,
        place -> Text,
        every_ms -> BigInt,
        generation -> BigInt,
        entries -> BigInt,
        odd -> BigInt,
        sha256 -> Nullable<Text>,
        etag -> Nullable<Text>,
        last_modified -> Nullable<Text>,
        read_at -> Nullable<BigInt>,
        checked_at -> Nullable<BigInt>,
        failure -> Nullable<Text>,
        due_at -> BigInt,
        lease_until -> BigInt,
    }
}

diesel::table! {
    register_entries (register, generation, n) {
        register -> Text,
        generation -> BigInt,
        n -> BigInt,
        kind -> SmallInt,
        key -> Text,
        organisation -> Nullable<Text>,
        name -> Nullable<Text>,
        at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    agencies,
    actors,
    actor_keys,
    proofs,
    sources,
    items,
    item_aliases,
    posts,
    post_changes,
    post_revisions,
    media,
    activities,
    hosts,
    inboxes,
    deliveries,
    turns,
    followers,
    remote_actors,
    messages,
    reactions,
    quotes,
    blocks,
    seen_activities,
    deleted_objects,
    audit,
    public_versions,
    source_secrets,
    hooks,
    hook_deliveries,
    websub_subscriptions,
    tokens,
    client_requests,
    uploads,
    pins,
    quote_requests,
    agency_organisations,
    registers,
    register_entries
);

import ChangeCapture
import JSON
import Postgres

extension SourceFacts {
    /// Reads the catalogs of the platform's database, and changes nothing. Blocks.
    ///
    /// Columns that newer versions of PostgreSQL have come by way of `to_jsonb`, which gives null for those that a version lacks.
    static func read(
        _ address: String, slot: String, publication: String, tables names: [TableName]
    ) throws(PostgresError) -> SourceFacts {
        let connection = try BlockingConnection(address, applicationName: "hub doctor")
        try connection.execute("set default_transaction_read_only = on; set statement_timeout = '15s'")
        var facts = SourceFacts()
        let server = try connection.execute(
            """
            select current_setting('server_version_num'), current_database(), current_setting('wal_level'),
                (select setting from pg_settings where name = 'max_slot_wal_keep_size')
            """)
        if let row = server.first, row.count == 4 {
            facts.version = row[0].flatMap { Int($0) } ?? 0
            facts.database = row[1] ?? ""
            facts.walLevel = row[2] ?? ""
            facts.keptMegabytes = row[3].flatMap { Int64($0) } ?? -1
        }
        facts.slots = try connection.execute(
            "select slot_name from pg_replication_slots where slot_type = 'logical' and database = current_database() order by 1"
        ).compactMap(\.first).compactMap { $0 }
        facts.slot = try Self.slot(slot, connection)
        facts.publications = try connection.execute("select pubname from pg_publication order by 1").compactMap(\.first).compactMap { $0 }
        facts.publication = try Self.publication(publication, connection)
        for name in Set(names) {
            if let table = try Self.table(name, connection) { facts.tables[name] = table }
        }
        return facts
    }

    private static func slot(_ name: String, _ connection: BlockingConnection) throws(PostgresError) -> Slot? {
        let rows = try connection.execute(
            """
            select s.plugin, s.database, s.active, to_jsonb(s) ->> 'wal_status', to_jsonb(s) ->> 'failover',
                coalesce(
                    to_jsonb(s) ->> 'invalidation_reason',
                    case when (to_jsonb(s) ->> 'conflicting')::bool then 'a conflict with recovery on this standby' end),
                pg_wal_lsn_diff(
                    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
                    s.confirmed_flush_lsn)::int8
            from pg_replication_slots s where s.slot_name = $1
            """, [name])
        guard let row = rows.first, row.count == 7 else { return nil }
        var slot = Slot()
        slot.plugin = row[0]
        slot.database = row[1]
        slot.isActive = row[2] == "t"
        slot.walStatus = row[3]
        slot.isFailover = row[4].map { $0 == "true" }
        slot.invalidation = row[5]
        slot.lagBytes = row[6].flatMap { Int64($0) }
        return slot
    }

    private static func publication(_ name: String, _ connection: BlockingConnection) throws(PostgresError) -> Publication? {
        let rows = try connection.execute(
            "select pubinsert, pubupdate, pubdelete, pubtruncate from pg_publication where pubname = $1", [name])
        guard let row = rows.first, row.count == 4 else { return nil }
        var publication = Publication()
        publication.operations = Set(zip([.insert, .update, .delete], row).compactMap { $1 == "t" ? $0 : nil })
        publication.publishesTruncate = row[3] == "t"
        let tables = try connection.execute(
            """
            select t.schemaname, t.tablename, to_jsonb(t) ->> 'attnames', to_jsonb(t) ->> 'rowfilter'
            from pg_publication_tables t where t.pubname = $1
            """, [name])
        for table in tables {
            guard table.count == 4, let schema = table[0], let name = table[1] else { continue }
            publication.tables[TableName(schema: schema, table: name)] = PublishedTable(
                columns: table[2].map { Set(Self.names($0)) }, rowFilter: table[3])
        }
        return publication
    }

    private static func table(_ name: TableName, _ connection: BlockingConnection) throws(PostgresError) -> Table? {
        let rows = try connection.execute(
            """
            select c.relreplident, c.relkind = 'p',
                (select json_agg(a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
                (select json_agg(a.attname) from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                 where i.indrelid = c.oid and i.indisprimary),
                (select json_agg(a.attname) from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                 where i.indrelid = c.oid and i.indisreplident)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')
            """, [name.schema, name.table])
        guard let row = rows.first, row.count == 5 else { return nil }
        return Table(
            identity: row[0].flatMap { Table.Identity(rawValue: $0) } ?? .standard, columns: Set(row[2].map(Self.names) ?? []),
            key: Set(row[3].map(Self.names) ?? []), index: Set(row[4].map(Self.names) ?? []), isPartitioned: row[1] == "t")
    }

    /// The texts of a JSON array.
    private static func names(_ json: String) -> [String] {
        ((try? JSONValue.parse(json))?.array ?? []).compactMap { if case .string(let name) = $0 { name } else { nil } }
    }
}

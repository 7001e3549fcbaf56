import Configuration
import Intake
import JSON
import Messaging
import Pacing
package import Rules
package import Store

/// `hub why`: what the database and the rules file know of an entry.
package struct WhyReport {
    private let answer: EntryInquiry.Answer
    private let rules: RuleSet?
    /// Why the rules file could not be used.
    private let rulesFailure: String?
    private let language: RuleLanguage

    /// - Parameter isFileNamed: the operator named the rules file, so a fault in it is an error. A configured one may have another hub's path.
    package init(
        asking question: EntryInquiry.Question, of address: String, rules path: String?, isFileNamed: Bool, language: RuleLanguage,
        within limit: Duration
    ) throws(CommandFailure) {
        var rules: RuleSet?
        var rulesFailure: String?
        if let path {
            do throws(RulesFile.Failure) {
                rules = try RulesFile(reading: path).rules
            } catch {
                guard !isFileNamed else { throw CommandFailure(.configuration, lines: error.lines) }
                rulesFailure = error.description
            }
        }
        do throws(EntryInquiry.Failure) {
            self.init(
                try EntryInquiry.ask(address, question, within: limit), rules: rules, rulesFailure: rulesFailure, language: language)
        } catch {
            throw Self.failure(error, question, limit)
        }
    }

    init(_ answer: EntryInquiry.Answer, rules: RuleSet? = nil, rulesFailure: String? = nil, language: RuleLanguage = .english) {
        self.answer = answer
        self.rules = rules
        self.rulesFailure = rulesFailure
        self.language = language
    }

    static func failure(
        _ failure: EntryInquiry.Failure, _ question: EntryInquiry.Question, _ limit: Duration
    ) -> CommandFailure {
        switch failure {
        case .database(let error): return CommandFailure(.unavailable, "\(error)")
        case .tooSlow:
            return CommandFailure(
                .failed, "the search did not end within \(limit.quantity): name --channel or --user, or allow more with --within")
        case .noSuchChannel: return CommandFailure(.failed, "there is no channel \(question.channel ?? "")")
        case .noSuchEntry(let first, let last):
            let channel = question.channel ?? ""
            if let seq = question.seq, seq < first, seq > 0 {
                return CommandFailure(
                    .failed, "\(channel): entry \(seq) was removed because of its age; the oldest one that is kept is \(first)")
            }
            guard question.id == nil, last >= first else {
                return CommandFailure(.failed, "\(channel) has no such entry; its newest number is \(last)")
            }
            return CommandFailure(.failed, "\(channel) has the entries \(first) to \(last)")
        case .unknown:
            let place = question.channel.map { " in \($0)" } ?? ""
            return CommandFailure(.failed, "no entry has the id \(question.id ?? "")\(place); entries beyond the retention are removed")
        }
    }

    // MARK: Text

    package var lines: [String] {
        var lines: [String] = []
        for entry in answer.entries {
            if !lines.isEmpty { lines.append("") }
            lines += self.lines(entry)
        }
        let rest = answer.total - answer.entries.count
        if rest > 0 { lines += ["", say("… and \(rest) more entries (--limit)", "… et \(rest) autres entrées (--limit)")] }
        if let rulesFailure {
            lines += ["", say("rules file not used: \(rulesFailure)", "fichier de règles non utilisé : \(rulesFailure)")]
        }
        return lines
    }

    private func lines(_ entry: FoundEntry) -> [String] {
        var lines = [
            say("\(entry.id) is entry \(entry.seq) of \(entry.channel)", "\(entry.id) est l’entrée \(entry.seq) de \(entry.channel)")
        ]
        func add(_ english: String, _ french: String, _ text: String) { lines.append("  \(say(english, french)): \(text)") }
        add("event", "événement", "\(entry.eventType) (\(entry.kind), \(entry.priority), \(entry.form))")
        add("why", "pourquoi", reason(entry))
        if let row = CausingRow.Parts(entry.cause), entry.kind != "retraction" {
            add(
                "row", "ligne",
                say(
                    "database \(row.database), table \(row.table), key \(row.key)",
                    "base \(row.database), table \(row.table), clé \(row.key)"))
        } else if entry.ruleName != nil {
            add("row", "ligne", say("not known: the table has no key", "inconnue : la table n’a pas de clé"))
        }
        add("record", "enregistrement", record(entry))
        add("stored", "enregistrée", entry.createdAt)
        if let time = entry.expiresAt { add("expires", "expire", time) }
        if let time = entry.retractedAt { add("taken back", "retirée", "\(time), \(retraction(entry))") }
        lines += people(entry).map { "  " + $0 }
        return lines
    }

    private func reason(_ entry: FoundEntry) -> String {
        if let name = entry.ruleName {
            if let rule = rules?.rules.first(where: { $0.name == name }) {
                return say("rule \(name): ", "règle \(name) : ") + rule.sentence(in: language)
            }
            let unknown =
                rules == nil
                ? say(
                    "the rules file is not known, so the rule cannot be told",
                    "le fichier de règles n’est pas connu, la règle ne peut être décrite")
                : say("the rules file has no such rule any more", "le fichier de règles n’a plus cette règle")
            return say("rule \(name) (\(unknown))", "règle \(name) (\(unknown))")
        }
        if let sender = entry.sender { return say("\(sender) wrote it", "\(sender) l’a écrite") }
        if entry.kind == "retraction" {
            return say("it tells clients that another entry was taken back", "elle dit aux clients qu’une autre entrée est retirée")
        }
        let source = entry.source
        for (prefix, english, french) in [
            ("outbox:", "a service wrote the event to its outbox", "un service a écrit l’événement dans son outbox"),
            (
                "message:", "a service emitted the event in a transaction of database",
                "un service a émis l’événement dans une transaction de la base"
            ),
            ("kafka:", "a service wrote the event, without an id, to topic", "un service a écrit l’événement, sans id, dans le topic"),
        ] where source.hasPrefix(prefix) {
            return "\(say(english, french)) \(source.dropFirst(prefix.count))"
        }
        return source == "hub"
            ? say("a service published the event; no rule made it", "un service a publié l’événement ; aucune règle ne l’a fait")
            : say("\(source) published the event; no rule made it", "\(source) a publié l’événement ; aucune règle ne l’a fait")
    }

    private func record(_ entry: FoundEntry) -> String {
        if let record = entry.kafkaRecord {
            return say(
                "topic \(record.topic), partition \(record.partition), offset \(record.offset)",
                "topic \(record.topic), partition \(record.partition), offset \(record.offset)")
        }
        return entry.sender != nil || entry.kind == "retraction"
            ? say("none: it did not come over Kafka", "aucun : elle n’est pas venue par Kafka")
            : say("not known: it was stored before schema 15", "inconnu : elle a été enregistrée avant le schéma 15")
    }

    private func retraction(_ entry: FoundEntry) -> String {
        if entry.isDeletedByAuthor { return say("by its author", "par son auteur") }
        if let by = entry.retractedBy {
            if by == entry.cause { return say("because the row changed or was deleted", "car la ligne a changé ou a été supprimée") }
            if by.hasPrefix("event/") { return say("by the event \(by.dropFirst(6))", "par l’événement \(by.dropFirst(6))") }
            return say("because of the row \(by)", "à cause de la ligne \(by)")
        }
        if let next = entry.replacedBy {
            return say("entry \(next) with the same collapse key replaced it", "l’entrée \(next) de même clé l’a remplacée")
        }
        return entry.kind == "retraction" || entry.kind == "change"
            ? say("because it only tells of a change", "car elle ne fait qu’annoncer un changement")
            : say("it is not known by what", "on ne sait pas par quoi")
    }

    private func people(_ entry: FoundEntry) -> [String] {
        var lines = entry.people.map { line($0, entry) }
        let rest = entry.peopleInAll - entry.people.count
        if rest > 0 { lines.append(say("… and \(rest) more people (--limit)", "… et \(rest) autres personnes (--limit)")) }
        guard entry.channel.hasPrefix("broadcast:") else { return lines }
        if let counts = entry.counts {
            lines.append(
                say(
                    "people whose position is there or beyond: \(counts.delivered) delivered, \(counts.seen) seen, \(counts.read) read; who follows the broadcast without having answered is not known",
                    "personnes dont la position y est ou la dépasse : \(counts.delivered) remises, \(counts.seen) vues, \(counts.read) lues ; on ne sait pas qui suit la diffusion sans avoir répondu"
                ))
        } else if entry.people.isEmpty {
            lines.append(say("who has it could not be counted in time", "les personnes n’ont pas pu être comptées à temps"))
        }
        return lines
    }

    private func line(_ person: FoundEntry.Person, _ entry: FoundEntry) -> String {
        if person.isHidden {
            return say(
                "\(person.user): hidden, because the user had blocked the sender", "\(person.user) : masquée, l’expéditeur était bloqué")
        }
        if person.user == entry.sender { return say("\(person.user): the author", "\(person.user) : l’auteur") }
        func fact(_ isTrue: Bool, _ english: String, _ french: String, _ time: String?) -> String {
            guard isTrue || time != nil else { return say("not \(english)", "non \(french)") }
            return say(english, french) + (time.map { " \($0)" } ?? "")
        }
        var text = [
            fact(person.isDelivered, "delivered", "remise", person.deliveredAt), fact(person.isSeen, "seen", "vue", nil),
            fact(person.isRead, "read", "lue", person.readAt),
        ].joined(separator: ", ")
        if person.deliveredAt == nil {
            text +=
                person.movedAt.map {
                    say(
                        " (position last moved \($0); no time of its own is kept)",
                        " (position modifiée en dernier \($0) ; aucune heure propre)")
                } ?? say(" (no client of the user has acknowledged anything here)", " (aucun client n’a encore rien confirmé ici)")
        }
        return language == .english ? "\(person.user): \(text)" : "\(person.user) : \(text)"
    }

    private func say(_ english: String, _ french: String) -> String { language == .english ? english : french }

    // MARK: JSON

    package var json: String {
        var object = JSONObject()
        object["entries"] = .array(answer.entries.map(object(of:)))
        object["total"] = .number(JSONNumber(Int64(answer.total)))
        if let rulesFailure { object["rules_failure"] = .string(rulesFailure) }
        return JSONValue.object(object).text
    }

    private func object(of entry: FoundEntry) -> JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        var object = JSONObject()
        object["id"] = .string(entry.id)
        object["channel"] = .string(entry.channel)
        object["seq"] = .number(JSONNumber(Int64(clamping: entry.seq)))
        object["kind"] = .string(entry.kind)
        object["event"] = .string(entry.eventType)
        object["source"] = .string(entry.source)
        object["sender"] = text(entry.sender)
        object["rule"] = text(entry.ruleName)
        object["reason"] = .string(reason(entry))
        object["row"] =
            (entry.kind == "retraction" ? nil : CausingRow.Parts(entry.cause)).map {
                ["database": .string($0.database), "table": .string($0.table), "key": .string($0.key)]
            } ?? .null
        object["record"] =
            entry.kafkaRecord.map {
                [
                    "topic": .string($0.topic), "partition": .number(JSONNumber(Int64($0.partition))),
                    "offset": .number(JSONNumber($0.offset)),
                ]
            } ?? .null
        object["stored_at"] = .string(entry.createdAt)
        object["expires_at"] = text(entry.expiresAt)
        object["retracted_at"] = text(entry.retractedAt)
        object["retracted_because"] = entry.retractedAt == nil ? .null : .string(retraction(entry))
        object["receipt"] = .bool(entry.needsReceipt)
        object["people"] = .array(
            entry.people.map { person in
                [
                    "user": .string(person.user), "delivered": .bool(person.isDelivered || person.deliveredAt != nil),
                    "delivered_at": text(person.deliveredAt), "seen": .bool(person.isSeen),
                    "read": .bool(person.isRead || person.readAt != nil), "read_at": text(person.readAt),
                    "position_moved_at": text(person.movedAt), "hidden": .bool(person.isHidden),
                ]
            })
        object["people_in_all"] = .number(JSONNumber(Int64(entry.peopleInAll)))
        if entry.channel.hasPrefix("broadcast:") {
            object["counts"] =
                entry.counts.map {
                    [
                        "delivered": .number(JSONNumber(Int64($0.delivered))), "seen": .number(JSONNumber(Int64($0.seen))),
                        "read": .number(JSONNumber(Int64($0.read))),
                    ]
                } ?? .null
        }
        return .object(object)
    }
}

extension FoundEntry {
    /// The rule that made it. A rule over a table without a key leaves its name in the source only.
    var ruleName: String? { rule ?? (source.hasPrefix("rule:") ? String(source.dropFirst("rule:".count)) : nil) }

    /// An event without an id has its record in its identity.
    var kafkaRecord: RecordOrigin? {
        if let record {
            let parts = record.split(separator: "/")
            guard parts.count == 3, let partition = Int32(parts[1]), let offset = Int64(parts[2]) else { return nil }
            return RecordOrigin(topic: String(parts[0]), partition: partition, offset: offset)
        }
        guard source.hasPrefix("kafka:") else { return nil }
        let parts = id.split(separator: ":")
        guard parts.count == 4, let partition = Int32(parts[0]), let offset = Int64(parts[1]) else { return nil }
        return RecordOrigin(topic: String(source.dropFirst("kafka:".count)), partition: partition, offset: offset)
    }
}

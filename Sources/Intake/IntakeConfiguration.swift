package import Kafka
package import Messaging

/// What the intake reads, and its limits. Its stored properties are independent settings.
package struct IntakeConfiguration: Equatable, Sendable {
    package var consumer: ConsumerConfiguration
    /// The topics of `consumer` that have events.
    package var eventTopics: [String]
    /// Topics of change data capture, which `consumer` reads besides.
    package private(set) var changeTopics: [String] = []
    /// nil: changes of rows notify nobody.
    package private(set) var rulesFile: String?
    /// The columns of the platform's own records whose values reach clients.
    package var payloadColumns: [String] = []
    /// A source of changes that was not heard for so long counts as silent. nil: never.
    package var silentAfter: Duration?
    /// The pause between two looks at the rules file.
    var rulesInterval: Duration = .seconds(2)
    /// The topic of records that cannot become entries. It is never read, even when a pattern among the topics matches it.
    package var deadLetterTopic: String
    /// The producer of dead letters. It is made for the first one.
    package var deadLetterProducer: ProducerConfiguration
    package var flow = IntakeFlow.Limits()
    /// What one record may hold. A larger value is dead-lettered unparsed.
    package var events = EventLimits()
    /// Records and bytes taken out of the client at once.
    package var poll = PollLimits(records: 500, bytes: 4 << 20)
    /// How often offsets are committed and gauges set; also the longest time a lost wake-up could go unnoticed.
    package var tick: Duration = .milliseconds(500)
    /// After so many ticks partitions whose reading was refused are tried again.
    var refusalTicks = 20
    /// The pause before a client that failed for good is made anew.
    var restartDelay: Duration = .seconds(5)
    /// The pause between two searches for a missing dead-letter topic.
    var deadLetterTopicInterval: Duration = .seconds(30)

    package init(brokers: String, group: String = "hub", topics: [String] = ["hub.events"], deadLetterTopic: String = "hub.events.dlq") {
        consumer = ConsumerConfiguration(brokers: brokers, group: group, topics: topics)
        eventTopics = topics
        self.deadLetterTopic = deadLetterTopic
        deadLetterProducer = ProducerConfiguration(brokers: brokers)
        deadLetterProducer.queueRecords = 10_000
        deadLetterProducer.queueKibibytes = 64 << 10
        deadLetterProducer.deliveryTimeout = .seconds(10)
        // The limit of the topic applies, not that of the client.
        deadLetterProducer.properties.set("message.max.bytes", String(16 << 20))
        // The client reports a missing topic before the delivery times out, and finds one that was made soon.
        deadLetterProducer.properties.set("topic.metadata.propagation.max.ms", "5000")
        deadLetterProducer.properties.set("topic.metadata.refresh.interval.ms", "5000")
    }

    /// Reads topics of change data capture, too.
    package mutating func read(changes topics: [String], by rulesFile: String?) {
        changeTopics = topics
        self.rulesFile = rulesFile
        consumer.topics = eventTopics + topics
    }

    /// Properties of librdkafka for both clients, after the defaults.
    package mutating func apply(_ properties: [(name: String, value: String)]) {
        for (name, value) in properties {
            consumer.properties.set(name, value)
            deadLetterProducer.properties.set(name, value)
        }
    }

    package func validate() throws(KafkaError) {
        try consumer.properties.validate()
        try deadLetterProducer.properties.validate()
        guard !consumer.topics.isEmpty, !consumer.topics.contains(where: \.isEmpty) else {
            throw KafkaError(kind: .configuration, name: "_INVALID_ARG", message: "no topic to read events from")
        }
        let isPattern = { (topic: String) in topic.hasPrefix("^") }
        guard !changeTopics.contains(where: isPattern) || !eventTopics.contains(where: isPattern) else {
            throw KafkaError(
                kind: .configuration, name: "_INVALID_ARG",
                message: "kafka.topics and rules.topics both have a pattern: a topic that matches both could not be told")
        }
        if let both = changeTopics.first(where: { eventTopics.contains($0) }) {
            throw KafkaError(
                kind: .configuration, name: "_INVALID_ARG", message: "\(both) is among both kafka.topics and rules.topics")
        }
        guard !consumer.topics.contains(deadLetterTopic) else {
            throw KafkaError(
                kind: .configuration, name: "_INVALID_ARG",
                message: "\(deadLetterTopic) is the dead-letter topic and cannot be read for events: its records would come back for ever")
        }
    }
}

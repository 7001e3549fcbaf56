package import Kafka
package import Messaging

/// What is read, and how hard is tried.
package struct IntakeConfiguration: Equatable, Sendable {
    package var consumer: ConsumerConfiguration
    /// Where records go that cannot become entries. Never read, even when a pattern among the topics matches it.
    package var deadLetterTopic: String
    /// Writes the dead letters; made when the first is due.
    package var deadLetterProducer: ProducerConfiguration
    package var flow = IntakeFlow.Limits()
    /// What one record may hold. A larger value is dead-lettered unparsed.
    package var events = EventLimits()
    /// Records and bytes taken out of the client at once.
    package var poll = PollLimits(records: 500, bytes: 4 << 20)
    /// How often offsets are committed and gauges set; also the longest time a lost wake-up could go unnoticed.
    package var tick: Duration = .milliseconds(500)
    /// Until a client that can go on no more is made anew.
    var restartDelay: Duration = .seconds(5)
    /// Between two looks for the dead-letter topic while it is missing.
    var deadLetterTopicInterval: Duration = .seconds(30)

    package init(brokers: String, group: String = "hub", topics: [String] = ["hub.events"], deadLetterTopic: String = "hub.events.dlq") {
        consumer = ConsumerConfiguration(brokers: brokers, group: group, topics: topics)
        self.deadLetterTopic = deadLetterTopic
        deadLetterProducer = ProducerConfiguration(brokers: brokers)
        deadLetterProducer.queueRecords = 10_000
        deadLetterProducer.queueKibibytes = 64 << 10
        deadLetterProducer.deliveryTimeout = .seconds(10)
        // The topic's own limit decides what is too large, not the client's.
        deadLetterProducer.properties.set("message.max.bytes", String(16 << 20))
        // A missing topic is told as such before the delivery times out, and one that was made is found soon.
        deadLetterProducer.properties.set("topic.metadata.propagation.max.ms", "5000")
        deadLetterProducer.properties.set("topic.metadata.refresh.interval.ms", "5000")
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
        guard !consumer.topics.contains(deadLetterTopic) else {
            throw KafkaError(
                kind: .configuration, name: "_INVALID_ARG",
                message: "\(deadLetterTopic) is the dead-letter topic and cannot be read for events: its records would come back for ever")
        }
    }
}

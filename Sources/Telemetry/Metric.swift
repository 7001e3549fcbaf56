/// What `/metrics` and the documentation say about one instrument.
package struct Metric: Sendable {
    package enum Kind: String, Sendable { case counter, gauge, histogram }

    package let name: String
    package let help: String
    package let kind: Kind
    /// The labels that distinguish the samples; empty when there is one sample.
    package let labels: [String]
}

/// A field of a `MetricsGroup`: counts or measures, and writes its own samples.
package protocol Instrument: Sendable {
    var metric: Metric { get }
    func writeSamples(into text: inout MetricsText)
}

/// The metrics of one part. Every stored property that is an instrument is published, in the order of declaration:
/// a metric is added by its declaration alone.
package protocol MetricsGroup: Sendable {}

extension MetricsGroup {
    /// Uses reflection, so ask once and keep the answer.
    package var instruments: [any Instrument] { Mirror(reflecting: self).children.compactMap { $0.value as? any Instrument } }
}

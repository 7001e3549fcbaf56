internal import CRdkafka

/// Lists of partitions on their way into and out of librdkafka.
enum PartitionList {
    static func with<Result>(
        _ offsets: [NextOffset],
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Result
    ) -> Result {
        let list = unsafe rd_kafka_topic_partition_list_new(Int32(clamping: offsets.count))!
        defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
        for next in offsets {
            let element = unsafe rd_kafka_topic_partition_list_add(
                list, next.partition.topic, next.partition.partition)!
            unsafe element.pointee.offset = next.offset
        }
        return unsafe body(list)
    }

    static func with<Result>(
        _ partitions: [TopicPartition],
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Result
    ) -> Result {
        unsafe with(partitions.map { NextOffset($0, Int64(RD_KAFKA_OFFSET_INVALID)) }, body)
    }

    /// Copies the elements out; nil is an empty list.
    static func elements(
        of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [(next: NextOffset, code: rd_kafka_resp_err_t)] {
        guard let list = unsafe list?.pointee else { return [] }
        return unsafe (0..<Int(list.cnt)).map { i in
            let element = unsafe list.elems[i]
            return unsafe (
                NextOffset(
                    TopicPartition(String(cString: element.topic), element.partition), element.offset),
                element.err
            )
        }
    }

    static func partitions(of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?)
        -> [TopicPartition]
    {
        unsafe elements(of: list).map(\.next.partition)
    }
}

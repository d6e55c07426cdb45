package wardstream.rival;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Four checks of an event against what is known of its user, exactly once: one processor, one store of small values
 * with a changelog, one decision for each event.
 *
 * Arguments: BOOTSTRAP APPLICATION STATE_DIR THREADS INTERVAL_MS INPUT OUTPUT [KEY=VALUE]…, where KEY=VALUE are
 * settings of Kafka Streams over those below.
 */
public final class Rival {
    static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle SHORTS = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle FLOATS = MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);

    private static final String STORE = "baseline";

    public static void main(String[] args) throws InterruptedException {
        Properties settings = settings(args);
        boolean caching = !settings.getProperty(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG).equals("0");
        var bytes = Serdes.ByteArray();
        var store = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), bytes, bytes);
        if (caching) store.withCachingEnabled();
        Topology topology = new Topology()
            .addSource("events", bytes.deserializer(), bytes.deserializer(), args[5])
            .addProcessor("checks", Checks::new, "events")
            .addStateStore(store, "checks")
            .addSink("decisions", args[6], bytes.serializer(), bytes.serializer(), "checks");

        var streams = new KafkaStreams(topology, settings);
        var ended = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
            if (now == KafkaStreams.State.NOT_RUNNING) ended.countDown();
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        ended.await();
    }

    private static Properties settings(String[] args) {
        var settings = new Properties();
        String[] all = {
            StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0],
            StreamsConfig.APPLICATION_ID_CONFIG, args[1],
            StreamsConfig.STATE_DIR_CONFIG, args[2],
            StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[3],
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[4],
            StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
            // Holds the baselines of those who are active: neither the disk nor the changelog sees a
            // user twice within a transaction.
            StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, "268435456",
            StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, "20000",
            StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest",
            StreamsConfig.consumerPrefix("max.poll.records"), "5000",
            StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), "4194304",
            StreamsConfig.consumerPrefix("receive.buffer.bytes"), "1048576",
            // A commit sends what lingers, so that lingering costs no latency.
            StreamsConfig.producerPrefix("linger.ms"), "50",
            StreamsConfig.producerPrefix("batch.size"), "524288",
            StreamsConfig.producerPrefix("buffer.memory"), "134217728",
            StreamsConfig.producerPrefix("compression.type"), "lz4",
            // The default of 100 ms makes a commit wait that comes while the broker still ends the last one.
            StreamsConfig.producerPrefix("retry.backoff.ms"), "5",
            StreamsConfig.producerPrefix("retry.backoff.max.ms"), "20",
        };
        for (int i = 0; i < all.length; i += 2) settings.setProperty(all[i], all[i + 1]);
        for (int i = 7; i < args.length; i++) {
            String[] one = args[i].split("=", 2);
            settings.setProperty(one[0], one[1]);
        }
        return settings;
    }

    /** Where things are in a baseline: a value of one size, changed in place and stored. */
    private static final class At {
        static final int COUNTRIES = 0; // how many are known, one byte each
        static final int DEVICES = 1;
        static final int NEXT_COUNTRY = 2;
        static final int OUTCOMES = 4; // the last 32 as bits, the newest lowest, failures are 1
        static final int EVENTS = 8;
        static final int TYPED = 12; // batches
        static final int TYPING_MEAN = 16;
        static final int TYPING_DEVIATION = 20;
        static final int GAP_MEAN = 24; // seconds between events
        static final int HOURS_SUM = 28;
        static final int LAST_SECONDS = 32; // since 1970
        static final int HOURS = 36; // 24 counters
        static final int COUNTRY = 60; // 12 of 2 bytes
        static final int DEVICE = 84; // 10 of 8 bytes and 4 of when it was last seen
        static final int END = 204;
    }

    private static final class Checks implements Processor<byte[], byte[], byte[], byte[]> {
        private static final int COUNTRIES_MAX = 12;
        private static final int DEVICES_MAX = 10;
        private static final int LOCATION = 30, DEVICE = 25, TIME = 15, BEHAVIOR = 20;

        private final Event event = new Event();
        private final Text text = new Text();
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], byte[]> store;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            store = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            event.read(record.value());
            byte[] known = store.get(record.key());
            boolean isNew = known == null;
            if (isNew) known = new byte[At.END];

            int country = event.ipLength == 0 ? -1 : country(event.bytes, event.ipAt, event.ipLength);
            long device = event.deviceLength == 0 ? 0 : hash(event.bytes, event.deviceAt, event.deviceLength);
            long seconds = Math.floorDiv(event.occurredAtMicros, 1_000_000L);
            int hour = (int) Math.floorMod(seconds / 3600, 24L);

            int place = country < 0 ? -1 : placeOf(known, country);
            int slot = device == 0 ? -1 : slotOf(known, device);
            boolean location = country >= 0 && place < 0 && known[At.COUNTRIES] > 0;
            boolean stranger = device != 0 && slot < 0 && known[At.DEVICES] > 0;
            boolean time = event.interactive && rare(known, hour);
            boolean behavior = !isNew && anomalous(known);

            int score = Math.min(100,
                (location ? LOCATION : 0) + (stranger ? DEVICE : 0) + (time ? TIME : 0) + (behavior ? BEHAVIOR : 0));
            // A guess must not teach whom it is about.
            if (!event.failed) {
                if (country >= 0 && place < 0) learnCountry(known, country);
                if (device != 0) learnDevice(known, device, slot, (int) seconds);
                if (event.interactive) learnHour(known, hour);
            }
            learnBehavior(known, (int) seconds);
            store.put(record.key(), known);
            byte[] decision = decide(record.key(), known, seconds, score, location, stranger, time, behavior);
            context.forward(record.withValue(decision));
        }

        /** The first 16 bits of an address stand for the country: a database would cost more. */
        private static int country(byte[] bytes, int at, int length) {
            int first = -1, decimal = 0, hexadecimal = 0;
            for (int i = at; i < at + length; i++) {
                byte one = bytes[i];
                if (one == ':') return hexadecimal & 0xFFFF;
                if (one == '.') {
                    if (first >= 0) break;
                    first = decimal;
                    decimal = 0;
                } else {
                    int digit = one <= '9' ? one - '0' : (one | 0x20) - 'a' + 10;
                    decimal = decimal * 10 + digit;
                    hexadecimal = hexadecimal << 4 | digit;
                }
            }
            return (first << 8 | decimal) & 0xFFFF;
        }

        private static long hash(byte[] bytes, int at, int length) {
            long hash = 0xcbf29ce484222325L;
            for (int i = at; i < at + length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3L;
            return hash == 0 ? 1 : hash;
        }

        private static int placeOf(byte[] known, int country) {
            for (int i = 0; i < known[At.COUNTRIES]; i++) {
                if ((short) SHORTS.get(known, At.COUNTRY + 2 * i) == (short) country) return i;
            }
            return -1;
        }

        private static int slotOf(byte[] known, long device) {
            for (int i = 0; i < known[At.DEVICES]; i++) {
                if ((long) LONGS.get(known, At.DEVICE + 12 * i) == device) return i;
            }
            return -1;
        }

        /** Less than one event in 50, of 20 at least. */
        private static boolean rare(byte[] known, int hour) {
            int sum = (int) INTS.get(known, At.HOURS_SUM);
            return sum >= 20 && (known[At.HOURS + hour] & 0xFF) * 50 < sum;
        }

        /** Another rhythm than the usual one, or a third failure within eight outcomes. */
        private boolean anomalous(byte[] known) {
            if (event.typingGap >= 0 && (int) INTS.get(known, At.TYPED) >= 5) {
                float off = Math.abs(event.typingGap - (float) FLOATS.get(known, At.TYPING_MEAN));
                if (off > 4 * (float) FLOATS.get(known, At.TYPING_DEVIATION)) return true;
            }
            return event.failed && Integer.bitCount((int) INTS.get(known, At.OUTCOMES) & 0x7F) >= 2;
        }

        private static void learnCountry(byte[] known, int country) {
            int next = known[At.NEXT_COUNTRY];
            SHORTS.set(known, At.COUNTRY + 2 * next, (short) country);
            known[At.NEXT_COUNTRY] = (byte) ((next + 1) % COUNTRIES_MAX);
            known[At.COUNTRIES] = (byte) Math.min(COUNTRIES_MAX, known[At.COUNTRIES] + 1);
        }

        /** A new one takes the place of the one that was not seen for longest. */
        private static void learnDevice(byte[] known, long device, int slot, int seconds) {
            if (slot < 0) {
                if (known[At.DEVICES] < DEVICES_MAX) {
                    slot = known[At.DEVICES]++;
                } else {
                    slot = 0;
                    for (int i = 1; i < DEVICES_MAX; i++) if (seen(known, i) < seen(known, slot)) slot = i;
                }
                LONGS.set(known, At.DEVICE + 12 * slot, device);
            }
            INTS.set(known, At.DEVICE + 12 * slot + 8, seconds);
        }

        private static int seen(byte[] known, int slot) {
            return (int) INTS.get(known, At.DEVICE + 12 * slot + 8);
        }

        private static void learnHour(byte[] known, int hour) {
            if (known[At.HOURS + hour] == (byte) 0xFF) {
                int sum = 0;
                for (int i = At.HOURS; i < At.HOURS + 24; i++) {
                    known[i] = (byte) ((known[i] & 0xFF) >> 1);
                    sum += known[i];
                }
                INTS.set(known, At.HOURS_SUM, sum);
            }
            known[At.HOURS + hour]++;
            INTS.set(known, At.HOURS_SUM, (int) INTS.get(known, At.HOURS_SUM) + 1);
        }

        private void learnBehavior(byte[] known, int seconds) {
            if (event.failed || event.succeeded) {
                INTS.set(known, At.OUTCOMES, (int) INTS.get(known, At.OUTCOMES) << 1 | (event.failed ? 1 : 0));
            }
            int events = (int) INTS.get(known, At.EVENTS);
            if (events > 0) {
                int gap = Math.max(0, seconds - (int) INTS.get(known, At.LAST_SECONDS));
                float mean = (float) FLOATS.get(known, At.GAP_MEAN);
                FLOATS.set(known, At.GAP_MEAN, mean + (gap - mean) / Math.min(events, 50));
            }
            INTS.set(known, At.EVENTS, events + 1);
            INTS.set(known, At.LAST_SECONDS, seconds);
            if (event.typingGap >= 0) {
                int typed = (int) INTS.get(known, At.TYPED) + 1;
                float mean = (float) FLOATS.get(known, At.TYPING_MEAN);
                float deviation = (float) FLOATS.get(known, At.TYPING_DEVIATION);
                float weight = 1f / Math.min(typed, 30);
                FLOATS.set(known, At.TYPING_MEAN, mean + (event.typingGap - mean) * weight);
                if (typed > 1) {
                    float off = Math.abs(event.typingGap - mean);
                    FLOATS.set(known, At.TYPING_DEVIATION, deviation + (off - deviation) * weight);
                }
                INTS.set(known, At.TYPED, typed);
            }
        }

        private byte[] decide(byte[] key, byte[] known, long seconds, int score, boolean location, boolean stranger,
                boolean time, boolean behavior) {
            text.begin();
            text.put(EVENT_ID).escaped(event.bytes, event.idAt, event.idLength);
            text.put(USER).escaped(key, 0, key.length);
            text.put(OCCURRED).put(seconds);
            text.put(SCORE).put(score).put(LEVEL);
            text.put(score < 20 ? LOW : score < 50 ? MEDIUM : score < 80 ? HIGH : CRITICAL);
            text.put(REASONS);
            boolean any = false;
            if (location) any = text.listed(UNUSUAL_LOCATION, any);
            if (stranger) any = text.listed(NEW_DEVICE, any);
            if (time) any = text.listed(UNUSUAL_TIME, any);
            if (behavior) text.listed(ANOMALOUS_BEHAVIOR, any);
            text.put(FACTOR_LOCATION).put(location ? LOCATION : 0);
            text.put(FACTOR_DEVICE).put(stranger ? DEVICE : 0);
            text.put(FACTOR_TIME).put(time ? TIME : 0);
            text.put(FACTOR_BEHAVIOR).put(behavior ? BEHAVIOR : 0);
            text.put(KNOWN_COUNTRIES).put(known[At.COUNTRIES]);
            text.put(KNOWN_DEVICES).put(known[At.DEVICES]);
            text.put(EVENTS).put((int) INTS.get(known, At.EVENTS));
            return text.put(CLOSE).end();
        }

        private static final byte[] EVENT_ID = ascii("{\"event_id\":\"");
        private static final byte[] USER = ascii("\",\"user\":\"");
        private static final byte[] OCCURRED = ascii("\",\"occurred_at\":");
        private static final byte[] SCORE = ascii(",\"risk_score\":");
        private static final byte[] LEVEL = ascii(",\"risk_level\":\"");
        private static final byte[] LOW = ascii("low");
        private static final byte[] MEDIUM = ascii("medium");
        private static final byte[] HIGH = ascii("high");
        private static final byte[] CRITICAL = ascii("critical");
        private static final byte[] REASONS = ascii("\",\"reasons\":[");
        private static final byte[] UNUSUAL_LOCATION = ascii("\"unusual_location\"");
        private static final byte[] NEW_DEVICE = ascii("\"new_device\"");
        private static final byte[] UNUSUAL_TIME = ascii("\"unusual_time\"");
        private static final byte[] ANOMALOUS_BEHAVIOR = ascii("\"anomalous_behavior\"");
        private static final byte[] FACTOR_LOCATION = ascii("],\"factors\":{\"location\":");
        private static final byte[] FACTOR_DEVICE = ascii(",\"device\":");
        private static final byte[] FACTOR_TIME = ascii(",\"time\":");
        private static final byte[] FACTOR_BEHAVIOR = ascii(",\"behavior\":");
        private static final byte[] KNOWN_COUNTRIES = ascii("},\"known\":{\"countries\":");
        private static final byte[] KNOWN_DEVICES = ascii(",\"devices\":");
        private static final byte[] EVENTS = ascii(",\"events\":");
        private static final byte[] CLOSE = ascii("}}");

        private static byte[] ascii(String text) {
            return text.getBytes(StandardCharsets.US_ASCII);
        }
    }

    /** JSON as bytes, into one buffer again and again. */
    private static final class Text {
        private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
        private byte[] buffer = new byte[1024];
        private int length;

        void begin() {
            length = 0;
        }

        byte[] end() {
            return Arrays.copyOf(buffer, length);
        }

        Text put(byte[] bytes) {
            room(bytes.length);
            System.arraycopy(bytes, 0, buffer, length, bytes.length);
            length += bytes.length;
            return this;
        }

        Text put(long number) {
            room(20);
            if (number < 0) {
                buffer[length++] = '-';
                number = -number;
            }
            int digits = 1;
            for (long rest = number; rest >= 10; rest /= 10) digits++;
            length += digits;
            for (int i = length - 1; digits > 0; digits--, number /= 10) buffer[i--] = (byte) ('0' + number % 10);
            return this;
        }

        boolean listed(byte[] one, boolean any) {
            room(1);
            if (any) buffer[length++] = ',';
            put(one);
            return true;
        }

        /** UTF-8 goes as it is; only quotes, backslashes and control characters are not. */
        Text escaped(byte[] bytes, int at, int count) {
            room(6 * count);
            for (int i = at; i < at + count; i++) {
                byte one = bytes[i];
                if (one >= 0 && one < 0x20) {
                    buffer[length++] = '\\';
                    buffer[length++] = 'u';
                    buffer[length++] = '0';
                    buffer[length++] = '0';
                    buffer[length++] = HEX[one >> 4];
                    buffer[length++] = HEX[one & 15];
                } else {
                    if (one == '"' || one == '\\') buffer[length++] = '\\';
                    buffer[length++] = one;
                }
            }
            return this;
        }

        private void room(int more) {
            if (length + more > buffer.length) buffer = Arrays.copyOf(buffer, 2 * (length + more));
        }
    }
}

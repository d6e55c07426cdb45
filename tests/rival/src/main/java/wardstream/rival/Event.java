package wardstream.rival;

/**
 * The fields of an event that the checks need, read in place: single-object Avro of `schemas/event.avsc`, whose
 * fields come in the schema's order. Texts stay where they are, as a start and a length; one instance serves all
 * events of a task, so that reading makes no garbage.
 */
final class Event {
    byte[] bytes;
    int idAt, idLength;
    int ipAt, ipLength;
    int deviceAt, deviceLength;
    long occurredAtMicros;
    boolean interactive;
    boolean failed;
    boolean succeeded;
    /** Milliseconds from key to key; below zero where nothing was typed. */
    float typingGap;

    private static final int BEHAVIOR = 5;
    private static final int HEADER = 10;
    private int at;

    void read(byte[] value) {
        if (value == null || value.length <= HEADER || value[0] != (byte) 0xC3 || value[1] != 1) {
            throw new IllegalArgumentException("not single-object Avro");
        }
        bytes = value;
        at = HEADER;
        idLength = optionalText();
        idAt = at - idLength;
        optionalText(); // tenant
        text(); // user_id: the key says it
        int type = (int) number();
        occurredAtMicros = number();
        optionalText(); // source
        optionalText(); // source_user_id
        optionalText(); // source_session_id
        optionalNumber(); // subject_kind
        texts(); // groups
        optionalText(); // actor_id
        optionalText(); // app
        optionalText(); // resource
        optionalNumber(); // privilege
        optionalText(); // session_id
        ipLength = optionalText();
        ipAt = at - ipLength;
        texts(); // ip_chain
        optionalText(); // user_agent
        deviceLength = optionalText();
        deviceAt = at - deviceLength;
        if (present()) at++; // device_managed
        optionalText(); // tls_fingerprint
        optionalNumber(); // rtt_ms
        if (present()) { // place_hint
            for (int i = 0; i < 3; i++) optionalText();
            for (int i = 0; i < 3; i++) if (present()) at += 8;
        }
        if (present()) { // network_hint
            optionalNumber();
            optionalNumber();
        }
        interactive = !present() || bytes[at++] != 0;
        optionalText(); // evaluation_id
        outcome(optionalNumber());
        typingGap = -1;
        // What follows is long only where somebody typed, and is not read anywhere else.
        if (type == BEHAVIOR) typing();
    }

    /** success, failure, blocked, approved, denied, failed, expired, reported, other; absent is -1. */
    private void outcome(long outcome) {
        succeeded = outcome == 0 || outcome == 3;
        failed = outcome == 1 || outcome == 2 || outcome == 4 || outcome == 5;
    }

    private void typing() {
        optionalNumber(); // failure_reason
        for (long left = block(); left > 0; left = block()) { // factors
            for (; left > 0; left--) number();
        }
        optionalText(); // challenge_id
        optionalNumber(); // factor
        optionalNumber(); // change
        optionalText(); // token_id
        optionalText(); // previous_token_id
        optionalText(); // context
        double first = 0, last = 0;
        int keys = 0;
        for (long left = block(); left > 0; left = block()) { // keyboard_events
            for (; left > 0; left--) {
                text();
                last = Double.longBitsToDouble((long) Rival.LONGS.get(bytes, at));
                if (keys++ == 0) first = last;
                at += 16;
            }
        }
        if (keys > 1) typingGap = (float) ((last - first) / (keys - 1));
    }

    private boolean present() {
        return bytes[at++] != 0;
    }

    private int text() {
        int length = (int) number();
        at += length;
        return length;
    }

    private int optionalText() {
        return present() ? text() : 0;
    }

    private long optionalNumber() {
        return present() ? number() : -1;
    }

    private void texts() {
        for (long left = block(); left > 0; left = block()) {
            for (; left > 0; left--) text();
        }
    }

    /** How many items a block of an array has; a count below zero is followed by the block's size. */
    private long block() {
        long count = number();
        if (count >= 0) return count;
        number();
        return -count;
    }

    private long number() {
        byte next = bytes[at++];
        long found = next & 0x7F;
        for (int shift = 7; next < 0; shift += 7) {
            next = bytes[at++];
            found |= (long) (next & 0x7F) << shift;
        }
        return (found >>> 1) ^ -(found & 1);
    }
}

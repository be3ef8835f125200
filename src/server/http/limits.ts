// What one connection may cost the server.

/** Requests in flight on one HTTP/2 connection; client-go multiplexes every watch over one. */
export const streamsMax = 1000;

/** All header fields of a request together. */
export const headerBytesMax = 64 * 1024;

/** A connection on which nothing happens and nothing is open is closed after this. */
export const idleMsMax = 5 * 60_000;

/** From connecting to the end of the TLS handshake. */
export const handshakeMsMax = 10_000;

/** Time in which a request's headers and body must have arrived. */
export const requestMsMax = 60_000;

/** All bodies that are being read, together. */
export const bodiesBytesMax = 128 * 1024 * 1024;

/** Time that open requests get to end when the server stops. */
export const closeMsMax = 3000;

/** Answers larger than this are compressed when the caller takes gzip. */
export const gzipBytesMin = 128 * 1024;

/** Bytes of answers buffered per HTTP/2 stream before its writer waits. */
export const streamWindowBytes = 1024 * 1024;

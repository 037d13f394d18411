/**
 * Connections to a port that wait to be accepted; the system may allow fewer (`net.core.somaxconn`). Where there is no room
 * for one, its client tries again only after a second. Node's own number is 511.
 */
export const LISTEN_BACKLOG = 4096;

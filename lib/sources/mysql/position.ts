/** A place in the binlog: file name, and offset of the next event in bytes. */
export interface BinlogPosition {
  file: string;
  offset: number;
}

/** Everything that says where in its log a server stands: the `position` of a manifest. */
export interface SourcePosition extends BinlogPosition {
  /** Canonical text; empty when GTIDs are off. */
  gtidSet: string;
  serverUuid: string;
  /** `ON`, `OFF`, `ON_PERMISSIVE`, `OFF_PERMISSIVE`. */
  gtidMode: string;
}

/** What a container is to find mounted beside its root, as it was asked for and as it was settled at its creation. */

/** A folder or file of the host. */
export interface BindConfig {
  readonly type: "bind";
  /** absolute path on the host */
  readonly source: string;
  /** absolute path in the container */
  readonly destination: string;
  readonly readOnly: boolean;
  /** whether a folder is made where there is nothing */
  readonly createSource: boolean;
  /** words of the short form that say nothing here, such as `z` or `rprivate`, as they were given */
  readonly modes?: readonly string[];
  /** whether it was asked for by `--mount`, which `inspect` tells apart */
  readonly isLong?: boolean;
}

/** A volume by its name, or one without. */
export interface VolumeMountConfig {
  readonly type: "volume";
  /** empty: a volume of its own, named by chance */
  readonly name: string;
  /** absolute path in the container */
  readonly destination: string;
  readonly readOnly: boolean;
  /** whether it stays empty although the image has something there */
  readonly noCopy: boolean;
  /** path in the volume that is mounted; absent: all of it */
  readonly subpath?: string;
  /** for a volume that is made: its driver, and what is asked of that */
  readonly driver?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly modes?: readonly string[];
  readonly isLong?: boolean;
}

export type MountConfig = BindConfig | VolumeMountConfig;

/** A mount as it was settled when the container was made. */
export interface MountPoint {
  readonly type: "bind" | "volume";
  /** of a volume */
  readonly name?: string;
  /** path on the host: of the folder, the file, or the disk's image */
  readonly source: string;
  /** whether the source is a disk of its own */
  readonly isDisk?: boolean;
  readonly destination: string;
  readonly readOnly: boolean;
  /** whether an empty volume gets what the image has there, at the first start */
  readonly copyUp: boolean;
  readonly subpath?: string;
  /** whether a missing source is made */
  readonly createSource?: boolean;
  readonly modes?: readonly string[];
  /** whether the volume goes with the container when that is removed with its volumes */
  readonly isAnonymous?: boolean;
}

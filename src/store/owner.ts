/** A store holds the tasks of one repository: of the first that opens it. */
import { OxbowError } from "../core/errors.ts";
import type { Database } from "./engine.ts";

const FACT = "repository";

export interface StoreOwner {
  /** Differs for every repository, and stays with it. */
  readonly id: string;
  /** For people: where it is, or was. */
  readonly path: string;
}

/** Throws setting_invalid when the store is another repository's. */
export async function refuseOthers(database: Database, owner: StoreOwner): Promise<void> {
  const known = (await ownerOf(database)) ?? (await claimFor(database, owner));
  if (known.id === owner.id) return;
  throw new OxbowError(
    "setting_invalid",
    `OXBOW_STORE_URL names a store that holds the tasks of another repository (${known.path}).`,
    {
      hint: "Name another file, or another ?schema= of the database; or remove this one when that repository is gone.",
      details: { repository: known.path },
    },
  );
}

async function ownerOf({ db }: Pick<Database, "db">): Promise<StoreOwner | null> {
  const row = await db.selectFrom("store_facts").select("value").where("name", "=", FACT).executeTakeFirst();
  if (!row) return null;
  const [id = "", ...path] = row.value.split(" ");
  return { id, path: path.join(" ") };
}

/** Of several that come at once one is first. */
async function claimFor(database: Database, owner: StoreOwner): Promise<StoreOwner> {
  return database.write(async (tx) => {
    await tx.db
      .insertInto("store_facts")
      .values({ name: FACT, value: `${owner.id} ${owner.path}` })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .execute();
    return (await ownerOf(tx)) ?? owner;
  });
}

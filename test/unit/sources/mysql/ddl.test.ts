import { describe, expect, test } from "vitest";
import { addIndexStatements, createTableSql, splitCreateTable } from "../../../../lib/sources/mysql/ddl.ts";

const table = (elements: string[], options = " ENGINE=InnoDB"): string =>
  `CREATE TABLE \`t\` (\n  ${elements.join(",\n  ")}\n)${options}`;

describe("splitCreateTable", () => {
  test("keeps columns, primary key and checks, and takes out indexes and foreign keys", () => {
    const parts = splitCreateTable(
      table(
        [
          "`id` int NOT NULL",
          "`a` varchar(20) DEFAULT ',KEY (' COMMENT 'KEY `x` (`y`)'",
          "PRIMARY KEY (`id`)",
          "UNIQUE KEY `u,1` (`a`(3))",
          "KEY `hidden` (`a` DESC) COMMENT 'x)' /*!80000 INVISIBLE */",
          "SPATIAL KEY `s` (`g`)",
          "FULLTEXT KEY `f` (`a`) /*!50100 WITH PARSER `ngram` */ ",
          "CONSTRAINT `fk` FOREIGN KEY (`a`) REFERENCES `o``ther`.`p.q` (`x`, `y`) ON DELETE SET NULL",
          "CONSTRAINT `c` CHECK ((`a` <> _utf8mb4'),('))",
        ],
        " ENGINE=InnoDB COMMENT='KEY (`z`)'\n/*!50100 PARTITION BY HASH (`id`) PARTITIONS 2 */",
      ),
    );
    expect(parts.kept).toEqual([
      "`id` int NOT NULL",
      "`a` varchar(20) DEFAULT ',KEY (' COMMENT 'KEY `x` (`y`)'",
      "PRIMARY KEY (`id`)",
      "CONSTRAINT `c` CHECK ((`a` <> _utf8mb4'),('))",
    ]);
    expect(parts.indexes.map(({ name, fulltext }) => [name, fulltext])).toEqual([
      ["u,1", false],
      ["hidden", false],
      ["s", false],
      ["f", true],
    ]);
    expect(parts.indexes[1]?.sql).toBe("KEY `hidden` (`a` DESC) COMMENT 'x)' /*!80000 INVISIBLE */");
    expect(parts.foreignKeys).toEqual([
      {
        name: "fk",
        references: { schema: "o`ther", table: "p.q" },
        before: "FOREIGN KEY (`a`) REFERENCES ",
        after: " (`x`, `y`) ON DELETE SET NULL",
      },
    ]);
    expect(parts.options).toContain("PARTITION BY HASH");
  });

  test("keeps the first unique key of a table without a primary key, as it can be the clustered one", () => {
    const parts = splitCreateTable(
      table(["`a` int NOT NULL", "UNIQUE KEY `u` (`a`)", "UNIQUE KEY `v` (`a`)", "KEY `k` (`a`)"]),
    );
    expect(parts.kept).toHaveLength(2);
    expect(parts.indexes.map(({ name }) => name)).toEqual(["v", "k"]);
  });

  test("keeps the key of an AUTO_INCREMENT column, and those before it for their order", () => {
    const parts = splitCreateTable(
      table([
        "`a` int",
        "`n` int NOT NULL AUTO_INCREMENT",
        "KEY `first` (`a`)",
        "KEY `counter` (`n`,`a`)",
        "KEY `last` (`a`)",
      ]),
    );
    expect(parts.indexes.map(({ name }) => name)).toEqual(["last"]);
  });

  test("is not misled by a column that is called or commented AUTO_INCREMENT", () => {
    const parts = splitCreateTable(
      table([
        "`auto_increment` int COMMENT 'AUTO_INCREMENT'",
        "`id` int NOT NULL AUTO_INCREMENT",
        "PRIMARY KEY (`id`)",
        "KEY `k` (`auto_increment`)",
      ]),
    );
    expect(parts.indexes.map(({ name }) => name)).toEqual(["k"]);
  });

  test("leaves the names of checks out when asked", () => {
    const parts = splitCreateTable(
      table(["`a` int", "CONSTRAINT `c` CHECK ((`a` > 0)) /*!80016 NOT ENFORCED */"]),
      true,
    );
    expect(parts.kept[1]).toBe("CHECK ((`a` > 0)) /*!80016 NOT ENFORCED */");
  });

  test("refuses text that is no table definition", () => {
    expect(() => splitCreateTable("CREATE TABLE `t` (`a` int")).toThrow(
      expect.objectContaining({ code: "SOURCE_UNSUPPORTED" }),
    );
    expect(() => splitCreateTable("")).toThrow(expect.objectContaining({ code: "SOURCE_UNSUPPORTED" }));
  });
});

test("makes a table under another name from its parts", () => {
  const parts = splitCreateTable(table(["`a` int", "KEY `k` (`a`)"]));
  expect(createTableSql("s`1", "t.2", parts)).toBe("CREATE TABLE `s``1`.`t.2` (\n  `a` int\n) ENGINE=InnoDB");
});

test("adds all indexes in one statement, and each FULLTEXT index in its own", () => {
  const { indexes } = splitCreateTable(
    table(["`a` int", "KEY `k` (`a`)", "KEY `l` (`a`)", "FULLTEXT KEY `f` (`a`)", "FULLTEXT KEY `g` (`a`)"]),
  );
  expect(addIndexStatements("`s`.`t`", indexes)).toEqual([
    "ALTER TABLE `s`.`t` ADD KEY `k` (`a`), ADD KEY `l` (`a`)",
    "ALTER TABLE `s`.`t` ADD FULLTEXT KEY `f` (`a`)",
    "ALTER TABLE `s`.`t` ADD FULLTEXT KEY `g` (`a`)",
  ]);
});

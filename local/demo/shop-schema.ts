/** The demo's e-commerce schema: tables with the kinds of columns, keys and programs that a real shop has. */
export const SHOP_STATEMENTS: readonly string[] = [
  "CREATE DATABASE shop CHARACTER SET utf8mb4",
  `CREATE TABLE shop.categories (
     id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
     parent_id INT UNSIGNED NULL,
     name VARCHAR(80) NOT NULL,
     UNIQUE KEY category_name (name),
     CONSTRAINT category_parent FOREIGN KEY (parent_id) REFERENCES categories (id)
   )`,
  `CREATE TABLE shop.products (
     id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
     category_id INT UNSIGNED NOT NULL,
     sku CHAR(12) CHARACTER SET ascii NOT NULL UNIQUE,
     title VARCHAR(120) NOT NULL,
     description TEXT,
     price DECIMAL(12,2) NOT NULL,
     weight_kg FLOAT,
     attributes JSON,
     thumbnail VARBINARY(64),
     price_with_vat DECIMAL(12,2) GENERATED ALWAYS AS (price * 1.21) STORED,
     FULLTEXT KEY product_text (title, description),
     KEY product_price (price DESC),
     CONSTRAINT product_category FOREIGN KEY (category_id) REFERENCES categories (id),
     CONSTRAINT price_is_positive CHECK (price > 0)
   )`,
  `CREATE TABLE shop.warehouses (
     id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
     name VARCHAR(60) NOT NULL,
     place POINT NOT NULL SRID 4326,
     SPATIAL KEY warehouse_place (place)
   )`,
  `CREATE TABLE shop.stock (
     warehouse_id SMALLINT UNSIGNED NOT NULL,
     product_id INT UNSIGNED NOT NULL,
     quantity INT NOT NULL DEFAULT 0,
     PRIMARY KEY (warehouse_id, product_id),
     CONSTRAINT stock_warehouse FOREIGN KEY (warehouse_id) REFERENCES warehouses (id),
     CONSTRAINT stock_product FOREIGN KEY (product_id) REFERENCES products (id)
   )`,
  `CREATE TABLE shop.customers (
     id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
     email VARCHAR(190) NOT NULL,
     full_name VARCHAR(120) NOT NULL,
     country CHAR(2) NOT NULL,
     interests SET('books','garden','music','sport') NOT NULL DEFAULT '',
     created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
     UNIQUE KEY customer_email ((LOWER(email)))
   )`,
  `CREATE TABLE shop.addresses (
     id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
     customer_id BIGINT UNSIGNED NOT NULL,
     street VARCHAR(160) NOT NULL,
     city VARCHAR(80) NOT NULL,
     CONSTRAINT address_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE
   )`,
  `CREATE TABLE shop.orders (
     id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
     customer_id BIGINT UNSIGNED NOT NULL,
     state ENUM('cart','paid','shipped','returned') NOT NULL DEFAULT 'cart',
     total DECIMAL(14,2) NOT NULL DEFAULT 0,
     placed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
     KEY order_state (state, placed_at),
     CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
   )`,
  `CREATE TABLE shop.order_items (
     order_id BIGINT UNSIGNED NOT NULL,
     line SMALLINT UNSIGNED NOT NULL,
     product_id INT UNSIGNED NOT NULL,
     quantity SMALLINT UNSIGNED NOT NULL,
     unit_price DECIMAL(12,2) NOT NULL,
     PRIMARY KEY (order_id, line),
     CONSTRAINT item_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
     CONSTRAINT item_product FOREIGN KEY (product_id) REFERENCES products (id)
   )`,
  `CREATE TABLE shop.payments (
     id BINARY(16) NOT NULL PRIMARY KEY,
     order_id BIGINT UNSIGNED NOT NULL,
     amount DECIMAL(14,2) NOT NULL,
     provider VARCHAR(40) NOT NULL,
     details JSON,
     paid_at DATETIME(3) NOT NULL,
     CONSTRAINT payment_order FOREIGN KEY (order_id) REFERENCES orders (id)
   )`,
  `CREATE TABLE shop.reviews (
     product_id INT UNSIGNED NOT NULL,
     customer_id BIGINT UNSIGNED NOT NULL,
     stars TINYINT UNSIGNED NOT NULL,
     body TEXT,
     PRIMARY KEY (product_id, customer_id),
     CONSTRAINT stars_in_range CHECK (stars BETWEEN 1 AND 5)
   )`,
  `CREATE TABLE shop.sessions (
     token VARBINARY(32) NOT NULL,
     customer_id BIGINT UNSIGNED NULL,
     data MEDIUMBLOB,
     KEY session_customer (customer_id)
   )`,
  `CREATE TABLE shop.audit (
     id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
     happened_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
     what VARCHAR(80) NOT NULL,
     order_id BIGINT UNSIGNED NULL,
     PRIMARY KEY (id, happened_at)
   ) PARTITION BY RANGE (YEAR(happened_at)) (
     PARTITION before_2027 VALUES LESS THAN (2027),
     PARTITION later VALUES LESS THAN MAXVALUE
   )`,
  `CREATE TRIGGER shop.order_is_audited AFTER INSERT ON shop.orders FOR EACH ROW
     INSERT INTO shop.audit (what, order_id) VALUES ('order placed', NEW.id)`,
  `CREATE FUNCTION shop.order_total (wanted BIGINT UNSIGNED) RETURNS DECIMAL(14,2) READS SQL DATA
     RETURN (SELECT COALESCE(SUM(quantity * unit_price), 0) FROM shop.order_items WHERE order_id = wanted)`,
  `CREATE VIEW shop.open_orders AS
     SELECT o.id, c.full_name, o.total FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id WHERE o.state = 'paid'`,
  "CREATE VIEW shop.big_open_orders AS SELECT * FROM shop.open_orders WHERE total > 500",
];

const NUMBERS = (count: number) =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT`;

/** Statements that fill the shop with a few ten thousand rows; the same ones each time. */
export const SHOP_ROWS: readonly string[] = [
  "SET SESSION cte_max_recursion_depth = 100000",
  "INSERT INTO shop.categories (name) VALUES ('Books'), ('Garden'), ('Music'), ('Sport')",
  "INSERT INTO shop.categories (parent_id, name) VALUES (1, 'Novels'), (1, 'Poetry'), (2, 'Seeds'), (3, 'Vinyl'), (4, 'Running')",
  `INSERT INTO shop.products (category_id, sku, title, description, price, weight_kg, attributes, thumbnail) ${NUMBERS(2000)}
     1 + i % 9, CONCAT('SKU-', LPAD(i, 8, '0')), CONCAT('Product ', i, ' ñandú'), REPEAT(CONCAT('Very useful, number ', i, '. '), 4),
     5 + i % 997 + 0.99, i / 7, JSON_OBJECT('colour', ELT(1 + i % 3, 'red', 'green', 'blue'), 'size', i % 40), UNHEX(SHA2(i, 256)) FROM n`,
  "INSERT INTO shop.warehouses (name, place) VALUES ('Rosario', ST_SRID(POINT(-60.66, -32.95), 4326)), ('Salta', ST_SRID(POINT(-65.41, -24.79), 4326))",
  "INSERT INTO shop.stock SELECT w.id, p.id, (p.id * 7 + w.id) % 100 FROM shop.warehouses w CROSS JOIN shop.products p",
  `INSERT INTO shop.customers (email, full_name, country, interests, created_at) ${NUMBERS(5000)}
     CONCAT('customer', i, '@example.com'), CONCAT('Name ', i, ' Güemes'), ELT(1 + i % 3, 'AR', 'UY', 'CL'), i % 16,
     '2025-01-01' + INTERVAL i * 977 SECOND FROM n`,
  `INSERT INTO shop.addresses (customer_id, street, city) ${NUMBERS(5000)} i, CONCAT('Calle ', i % 300, ' N° ', i), 'Córdoba' FROM n`,
  `INSERT INTO shop.orders (customer_id, state, total, placed_at) ${NUMBERS(6000)}
     1 + i * 13 % 5000, ELT(1 + i % 4, 'cart', 'paid', 'shipped', 'returned'), i % 1500 + 0.5, '2026-01-01' + INTERVAL i * 997 SECOND FROM n`,
  `INSERT INTO shop.order_items ${NUMBERS(12000)} 1 + (i - 1) DIV 2, 1 + i % 2, 1 + i * 31 % 2000, 1 + i % 5, 5 + i % 90 + 0.25 FROM n`,
  `INSERT INTO shop.payments ${NUMBERS(4000)} UNHEX(LEFT(SHA2(CONCAT('p', i), 256), 32)), 1 + i % 6000, i % 1500 + 0.5, 'Mercado Pago',
     JSON_OBJECT('card', i % 10000, 'installments', 1 + i % 12), '2026-01-01' + INTERVAL i * 1009 SECOND FROM n`,
  `INSERT INTO shop.reviews ${NUMBERS(3000)} 1 + i % 2000, i, 1 + i % 5, IF(i % 3 = 0, NULL, 'Muy bueno 👍') FROM n`,
  `INSERT INTO shop.sessions ${NUMBERS(1000)} UNHEX(SHA2(CONCAT('s', i), 256)), NULLIF(i % 5000, 0), REPEAT(UNHEX(SHA2(i, 256)), 8) FROM n`,
  "ANALYZE TABLE shop.products, shop.customers, shop.orders, shop.order_items, shop.payments",
];

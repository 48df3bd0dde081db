-- The place of a task. 'here': queued, running or ended on this platform. 'sending': on its way to the worker of its workspace,
-- with an id that no caller knows. 'sent': accepted by that worker, with the id 'workspace::id'.
-- A task that ends on its way is 'here' and keeps the workspace that it was meant for.
ALTER TABLE task ADD COLUMN place TEXT NOT NULL DEFAULT 'here'
    CHECK (place IN ('here', 'sending', 'sent'))
    CHECK (place = 'here' OR workspace IS NOT NULL)
    CHECK (place <> 'sending' OR status = 'pending');
UPDATE task SET place = 'sent' WHERE workspace IS NOT NULL AND instr(id, '::') > 0;
UPDATE task SET place = 'sending' WHERE workspace IS NOT NULL AND instr(id, '::') = 0 AND status = 'pending';
CREATE INDEX task_sending ON task (seq) WHERE place = 'sending';
CREATE TRIGGER task_stays_in_its_place BEFORE UPDATE OF place ON task
WHEN OLD.place <> 'sending' AND NEW.place <> OLD.place
BEGIN
    SELECT RAISE(ABORT, 'a task does not leave its place');
END;

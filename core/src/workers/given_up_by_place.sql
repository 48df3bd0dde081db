-- The trigger of `worker_given_up` now uses the task's place instead of the form of its id.
DROP TRIGGER task_given_up;
CREATE TRIGGER task_given_up AFTER UPDATE OF status ON task
WHEN NEW.status = 'failed' AND OLD.status <> 'failed' AND NEW.place = 'sent'
BEGIN
    INSERT OR REPLACE INTO worker_given_up (id, workspace, created_at) VALUES (NEW.id, NEW.workspace, NEW.updated_at);
END;
